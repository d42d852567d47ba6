"""Taking turns."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_turns(things: Iterable[T], owner: Callable[[T], str]) -> list[T]:
    """First the first of each owner, then the second of each, and so on, each time in the order in which they came."""
    seen: Counter[str] = Counter()
    rounds: list[list[T]] = []
    for thing in things:
        turn = seen[owner(thing)]
        seen[owner(thing)] += 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(thing)
    return [thing for each in rounds for thing in each]
