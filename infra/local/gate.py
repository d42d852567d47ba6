"""The door of the local server: while it stops, what is under way is finished and everything else is refused for
now."""

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_STOPPING = json.dumps({"status": 503, "error": "Service Unavailable", "code": "stopping"}).encode()
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", str(len(_STOPPING))),
    ("Retry-After", "5"),
]


class Gate:
    """A WSGI application before another one, which can be closed."""

    def __init__(self, inner: Wsgi) -> None:
        self._inner = inner
        self._under_way, self._closed, self._given_up = 0, False, False
        self._changed = threading.Condition()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass the request on, or answer 503 once closed."""
        with self._changed:
            closed = self._closed
            self._under_way += not closed
        if closed:
            return _refuse(environ, start_response)
        try:
            return self._answer(environ, start_response)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun: list[tuple[Any, ...]] = []
        # Whole, so that nothing of it is left to do when it counts as done.
        body = list(self._inner(environ, lambda *line: begun.append(line)))
        if self._given_up and begun[-1][0].startswith("500"):
            return _refuse(environ, start_response)  # Its target is gone: it is told to come again, as others are.
        start_response(*begun[-1])
        return body

    def close(self, seconds: float) -> bool:
        """Refuse what comes from now on; whether everything under way was done within so many seconds."""
        with self._changed:
            self._closed = True
            done = self._changed.wait_for(lambda: self._under_way == 0, seconds)
            self._given_up = not done
            return done


def _refuse(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("503 Service Unavailable", list(_HEADERS))
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else _STOPPING]
