"""A tree of pages under one path: few routes for many addresses, as API Gateway has a quota of resources."""

from collections.abc import Callable, Sequence
from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.platform import log
from chalicelib.platform.http.call import id_of

# Takes the request and the segments of its path below the root, as they were sent.
Handler = Callable[[Any, Sequence[str]], Response]


class Site:
    """The routes of a site: all addresses of up to so many segments below `root` lead to one handler, by GET and POST."""

    def __init__(self, name: str, root: str, *, depth: int, handler: Handler) -> None:
        self.blueprint = Blueprint(name)
        for number in range(depth + 1):
            path = root + "".join(f"/{{{letter}}}" for letter in "abcdefgh"[:number])
            self._route(path, ["GET", "POST"], f"{root.strip('/')}_{number}", handler)

    def also(self, path: str, name: str, handler: Handler) -> None:
        """One more address, outside of the root, by GET."""
        self._route(path, ["GET"], name, handler)

    def _route(self, path: str, methods: list[str], name: str, handler: Handler) -> None:
        def answer(**segments: str) -> Response:
            request = self.blueprint.current_request
            with log.about(request_id=id_of(request)):
                return handler(request, [segments[letter] for letter in sorted(segments)])

        self.blueprint.route(path, methods=methods, content_types=["*/*"], name=name)(answer)
