"""What can go wrong with one call to a fake provider, set up beforehand for the calls that come.

lost_undone   no answer, nothing done          lost_done    no answer, all done
lost_later    no answer, done at `release`     reset        done; the connection breaks in the middle of the answer
slow          done; the answer takes `seconds` 429, 503, 500  refused as JSON, nothing done
502           a proxy's HTML page              409          the key is in use by another call
stored        500 that is kept under the key, nothing done
stored_done   500 that is kept under the key, all done
echo          400 whose message repeats the secret that came
odd           200 with a body that makes no sense
"""

import fnmatch
import threading
from dataclasses import dataclass, field

# Nothing is done; and all is done (or, with `stored`, kept as if it was).
UNDONE = ("lost_undone", "lost_later", "429", "503", "502", "500", "409", "echo", "odd", "empty")
DONE = ("lost_done", "reset", "slow", "500_done", "502_done", "503_done", "stored", "stored_done")


@dataclass
class Fault:
    """A fault of the next `times` calls that a pattern (`POST /v1/refunds`, `GET *`) names, after `after` good ones."""

    call: str
    kind: str
    times: int = 1
    after: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a kind that there is not: a test that waits for it would prove nothing."""
        if self.kind not in ("", *UNDONE, *DONE):
            raise ValueError(f"no such fault: {self.kind}")


@dataclass
class Faults:
    """The faults to come, in their order."""

    coming: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, call: str, kind: str, *, times: int = 1, after: int = 0, seconds: float = 0.0) -> None:
        """Let calls fail."""
        with self.lock:
            self.coming.append(Fault(call, kind, times, after, seconds))

    def take(self, call: str) -> Fault | None:
        """The fault of a call that has come in."""
        with self.lock:
            for each in self.coming:
                if not fnmatch.fnmatchcase(call, each.call):
                    continue
                if each.after > 0:
                    each.after -= 1
                    continue
                each.times -= 1
                if each.times <= 0:
                    self.coming.remove(each)
                return each
        return None

    def clear(self) -> None:
        """No faults any more."""
        with self.lock:
            self.coming.clear()
