"""Taking turns: a fair order of work that belongs to several owners."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_turns(things: Iterable[T], owner: Callable[[T], str]) -> list[T]:
    """Round-robin: the first thing of each owner, then the second of each, and so on; each round keeps the original
    order."""
    seen: Counter[str] = Counter()
    rounds: list[list[T]] = []
    for thing in things:
        turn = seen[owner(thing)]
        seen[owner(thing)] += 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(thing)
    return [thing for each in rounds for thing in each]
