"""Events of a fake provider on their way to us: signed, in any order, doubled, late, forged, or never."""

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TRIES, _PAUSE_SECONDS = 8, 0.5
_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class Told:
    """An event as it is kept: its id, and the secret of the organization's account that it belongs to."""

    id: str
    account: str
    body: dict[str, Any]


@dataclass(frozen=True)
class How:
    """How events are sent. `forged`: signed with a secret that nobody has; `unsigned`: without the header; `shift`: seconds by
    which the signature's time is off; `secret`: another one than that of the endpoint; `tail`: bytes after the body, signed
    with it; `batch`: events of one request at most, where a provider sends several."""

    forged: bool = False
    unsigned: bool = False
    shift: int = 0
    secret: str | None = None
    tail: bytes = b""
    batch: int = 50


@dataclass(frozen=True)
class Signed:
    """A request that brings events, ready to be made."""

    url: str
    headers: dict[str, str]
    body: bytes

    def post(self) -> int:
        """Make it; the status of the answer, 0 without one."""
        place = urlsplit(self.url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        connection = kind(place.netloc, timeout=_ANSWER_SECONDS)
        try:
            connection.request("POST", f"{place.path}?{place.query}".rstrip("?"), self.body, self.headers)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


class Sender:
    """The events of a fake, and how far they are sent. `sign`: makes the requests that bring events."""

    def __init__(self, sign: Callable[[Sequence[Told], How], list[Signed]]) -> None:
        self.events: list[Told] = []
        self.automatic = False
        self._sign = sign
        self._sent = 0
        self._lock = threading.Lock()

    def add(self, event: Told) -> None:
        """Something happened."""
        self.events.append(event)

    def emit(
        self,
        *,
        ids: Sequence[str] | None = None,
        reverse: bool = False,
        copies: int = 1,
        delay: float = 0.0,
        post: bool = True,
        **how: Any,
    ) -> list[dict[str, Any]]:
        """Send events, by default those that were not sent yet; what was sent, with the status of each answer. With
        `post=False` the requests are only made up; with a `delay` they go out later, and nobody hears of their answers."""
        with self._lock:
            chosen = self.events[self._sent :]
            if ids is None:
                self._sent = len(self.events)
            else:
                known = {each.id: each for each in self.events}
                chosen = [known[each] for each in ids]
        if reverse:
            chosen = chosen[::-1]
        requests = [each for each in self._sign(chosen, How(**how)) for _ in range(copies)]
        if delay:
            threading.Timer(delay, lambda: [each.post() for each in requests]).start()
        return [
            {
                "url": each.url,
                "headers": each.headers,
                "body": each.body.decode("utf-8", "replace"),
                "status": each.post() if post and not delay else None,
            }
            for each in requests
        ]

    def requests(self, *, ids: Sequence[str] | None = None, **how: Any) -> list[Signed]:
        """The requests that bring events, all of them by default; none is made."""
        known = {each.id: each for each in self.events}
        return self._sign(self.events if ids is None else [known[each] for each in ids], How(**how))

    def after(self) -> None:
        """Send what is new, if that goes by itself: in a thread, again and again until it is taken, as providers do."""
        if not self.automatic:
            return
        with self._lock:
            chosen, self._sent = self.events[self._sent :], len(self.events)
        if chosen:
            threading.Thread(target=self._deliver, args=(self._sign(chosen, How()),), daemon=True).start()

    def _deliver(self, requests: list[Signed]) -> None:
        for each in requests:
            for tried in range(_TRIES):
                if 200 <= each.post() < 300:
                    break
                time.sleep(_PAUSE_SECONDS * 2**tried)
