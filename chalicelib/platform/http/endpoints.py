"""The routes of the API: all of them known from a table when a process starts, their views once they are asked for.

Modules declare the views of their routes. The table says only which module that is, so that none is imported before the
first request that needs it (docs/decisions/0031).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

# Routes that organizations reach begin with it.
PREFIX = "/api/v1"


class Declared(NamedTuple):
    """A view, as its module declares it. `key`: the kind of key that the route requires (`organization`, `admin`,
    `none`). `while_advancing`: it also answers while the organization's test clock moves."""

    module: str
    view: Callable[[Any], Any]
    key: str
    while_advancing: bool


class Endpoint(NamedTuple):
    """A route, and the module that declares its view."""

    method: str
    path: str
    module: str

    @property
    def segments(self) -> list[str]:
        """Of its path behind the prefix; those in braces stand for any text."""
        return self.path.removeprefix(f"{PREFIX}/").split("/")

    def load(self) -> Declared:
        """What its module declares, which is imported the first time."""
        # Not asked first whether the view is known: another thread may be in the middle of the module.
        import_module(self.module)
        return _declared[self.method, self.path]


# By method and path.
_declared: dict[tuple[str, str], Declared] = {}
# Those that organizations reach, by method and number of segments.
_reached: defaultdict[tuple[str, int], list[Endpoint]] = defaultdict(list)


def declare(method: str, path: str, declared: Declared) -> None:
    """Give a route its view.

    Raises: ValueError, for a route that another module has.
    """
    if _declared.get((method, path), declared).module != declared.module:
        raise ValueError(f"{method} {path} is a route of {_declared[method, path].module}, and of {declared.module}")
    _declared[method, path] = declared


def declared() -> Mapping[tuple[str, str], Declared]:
    """The views of the modules imported so far, by method and path."""
    return _declared


def learn(table: str, package: str) -> list[Endpoint]:
    """Know the routes of a table. A line of it is a method, the name of a module of the package, and a path."""
    found = [
        Endpoint(method, path, f"{package}.{module}") for method, module, path in map(str.split, table.splitlines())
    ]
    for each in found:
        if each.path.startswith(f"{PREFIX}/"):
            _reached[each.method, len(each.segments)].append(each)
    return found


def find(method: str, segments: Sequence[str]) -> Endpoint:
    """The route that organizations reach under a path; words of a route come before what stands for any text, from the
    left.

    Raises: LookupError, where there is none.
    """
    fitting = [each for each in _reached[method, len(segments)] if _fits(each.segments, segments)]
    if not fitting:
        raise LookupError(f"{method} /{'/'.join(segments)}")
    return min(fitting, key=lambda each: [segment[0] == "{" for segment in each.segments])


def _fits(pattern: Sequence[str], segments: Sequence[str]) -> bool:
    return all(word[0] == "{" or word == given for word, given in zip(pattern, segments, strict=True))
