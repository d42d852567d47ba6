"""The emulator's process: ministack, with its state in a file where it is given a folder.

python -m infra.local.emulate     (variables: `EMULATOR_FOLDER`, `EMULATOR_PARENT`, `SYNC`, and ministack's own)
"""

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import dynamodb

from infra.local import fair_queues, keeping
from infra.local.keeping.disk import Disk
from infra.local.keeping.errors import Unreadable
from infra.local.lock import Held, hold

# ministack compares a transaction's token with the whole request for as long as it lives; DynamoDB does for ten minutes.
_TOKENS_MAX = 1_000
_GARBAGE_THRESHOLDS = (50_000, 20, 1_000)
_PARENT_SEEN_EVERY_SECONDS = 0.2
_PROGRESS_EVERY_SECONDS = 0.5


def main() -> int:
    """Serve until ended, or until the process that started this one is gone."""
    _follow(int(os.environ.get("EMULATOR_PARENT", os.getppid())))
    # It counts all items of a table anew with every item that it writes: a quarter of the speed was left at 50,000 events.
    dynamodb._update_counts = lambda table: None
    dynamodb._txn_idempotency = Tokens()
    # Kept objects have no cycles: among millions of items looking for some takes a third of a second. `keeping` freezes them.
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    fair_queues.install()
    from ministack.app import main as serve

    folder = os.environ.get("EMULATOR_FOLDER")
    if folder is None:
        serve()
        return 0
    try:
        with _kept_in(Path(folder)):
            serve()
    except (Unreadable, Held) as problem:
        print(problem, file=sys.stderr, flush=True)
        return 4
    return 0


@contextlib.contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """The services' state in a folder's file, which nobody else writes."""
    lock = hold(folder / "lock")
    disk = Disk(folder / "state.db", wait_for_medium=os.environ.get("SYNC") == "always")
    gc.disable()  # Looking for garbage among what is being read takes longer than reading it.
    try:
        keeping.attach(disk, folder, Reading(folder / "reading"))
    except BaseException:
        disk.abandon()
        raise
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        disk.close()
        lock.close()


class Reading:
    """Progress of reading items, in a file for waiting processes: "412000 1000000"."""

    def __init__(self, place: Path) -> None:
        self._place, self._told = place, time.monotonic()

    def __call__(self, seen: int, total: int) -> None:
        now = time.monotonic()
        if seen == total:
            self._place.unlink(missing_ok=True)
        elif now - self._told > _PROGRESS_EVERY_SECONDS:
            self._told = now
            self._place.write_text(f"{seen} {total}")


class Tokens(AccountRegionScopedDict):
    """Tokens of the newest transactions."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if len(self._data) > _TOKENS_MAX:
            del self._data[next(iter(self._data))]


def _follow(parent: int) -> None:
    """End with the process that started this one, however that ends: nobody else would end it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SEEN_EVERY_SECONDS)
        os._exit(0)  # At once: what was answered is kept already.

    threading.Thread(target=watch, daemon=True, name="follow").start()


if __name__ == "__main__":
    sys.exit(main())
