"""What declares all kinds of task and their handlers, by importing the features that own them.

It is said when a process starts, and done when a task comes up that is not known yet: most requests meet none, and
processes start without what only tasks need. It stands beside the agenda, which many requests do without too.
"""

from collections.abc import Callable

_declaring: list[Callable[[], object]] = []


def declared_by(declare: Callable[[], object]) -> None:
    """Say what declares them."""
    _declaring.append(declare)


def declare_all() -> None:
    """Know all kinds and their handlers from now on."""
    for declare in _declaring:
        declare()
