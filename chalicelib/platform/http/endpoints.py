"""The routes that organizations reach, by their paths: for parts of the same process that are clients of the API."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Endpoint(NamedTuple):
    """A route that organizations reach. `segments`: of its path, those in braces stand for any text."""

    segments: tuple[str, ...]
    view: Callable[[Any], Any]
    while_advancing: bool


# By method and number of segments.
_endpoints: defaultdict[tuple[str, int], list[Endpoint]] = defaultdict(list)


def register(method: str, path: str, view: Callable[[Any], Any], *, while_advancing: bool) -> None:
    """Make a route reachable from inside. `path` begins behind `/api/v1`."""
    segments = tuple(path.strip("/").split("/"))
    _endpoints[method, len(segments)].append(Endpoint(segments, view, while_advancing))


def find(method: str, segments: Sequence[str]) -> Endpoint:
    """The route of a path; words of a route come before what stands for any text, from the left."""
    fitting = [each for each in _endpoints[method, len(segments)] if _fits(each.segments, segments)]
    if not fitting:
        raise LookupError(f"{method} /{'/'.join(segments)}")
    return min(fitting, key=lambda each: [segment[0] == "{" for segment in each.segments])


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    return all(word[0] == "{" or word == given for word, given in zip(pattern, segments, strict=True))
