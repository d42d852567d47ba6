"""One process per folder: a lock that ends with its holder, however that ends."""

import contextlib
import fcntl
import os
import signal
import time
from pathlib import Path
from typing import IO

_ASKED_EVERY_SECONDS = 0.05


class Held(Exception):
    """Somebody else holds the lock. `process` is who, `about` what it wrote about itself."""

    def __init__(self, process: int, about: str) -> None:
        super().__init__(f"Process {process} uses the folder already. {about}".strip())
        self.process, self.about = process, about


def hold(path: Path, about: str = "") -> IO[str]:
    """Take the lock, and keep it for as long as the result is open.

    Raises: Held, with what its holder wrote about itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.open("a+")
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        place.seek(0)
        process, _, about = place.read().strip().partition(" ")
        place.close()
        raise Held(int(process or 0), about) from None
    place.truncate(0)
    place.write(f"{os.getpid()} {about}\n")
    place.flush()
    return place


def holder(path: Path) -> int | None:
    """Holder of the lock, None without one. The holder is alive: a lock ends with it."""
    if not path.exists():
        return None
    while True:
        with path.open() as place:
            try:
                fcntl.flock(place, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                written = place.read()
            else:
                return None
        if written.endswith("\n"):
            return int(written.partition(" ")[0])
        time.sleep(_ASKED_EVERY_SECONDS)  # It took the lock just now, and is about to write its id.


def end_holder(path: Path, seconds: float) -> int | None:
    """End who holds the lock: ask, and after so many seconds make it. Its id, None if nobody held it."""
    found = holder(path)
    for way, wait in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        end = time.monotonic() + wait
        with contextlib.suppress(ProcessLookupError):
            if found is not None and holder(path) == found:
                os.kill(found, way)
        while holder(path) is not None and time.monotonic() < end:
            time.sleep(_ASKED_EVERY_SECONDS)
    return found
