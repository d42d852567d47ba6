"""The file in which the local stack keeps its state: SQLite, so that a kill at any instant leaves the last commit, whole.

Tables of the file
    item(part, sk, tbl, value)   a DynamoDB item as JSON. `part` numbers its partition: new partitions lie at the end, so
                                 that a million events are written one behind the other and not all over an index.
    thing(kind, name, value)     everything else: JSON, or the bytes of a stored object
"""

import asyncio
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from infra.local.keeping.errors import Unreadable

FORMAT = 1
# Seconds of writes that a power failure may cost at most, where answers do not wait for the medium.
SYNC_SECONDS = 1.0

_SCHEMA = """
CREATE TABLE item (part INTEGER, sk BLOB, tbl INTEGER, value TEXT, PRIMARY KEY (part, sk)) WITHOUT ROWID;
CREATE TABLE thing (kind TEXT, name TEXT, value BLOB, PRIMARY KEY (kind, name));
"""
_PUT_ITEM = "INSERT OR REPLACE INTO item (part, sk, tbl, value) VALUES (?, ?, ?, ?)"
_PUT_THING = "INSERT OR REPLACE INTO thing (kind, name, value) VALUES (?, ?, ?)"
_READ_AT_ONCE, _TOLD_EVERY = 1_000, 1_000
# Pages that the log ahead of the file may grow to (4 KB each) before they are moved into it: 16 MB.
_CHECKPOINT_PAGES = 4_000
_CACHE_KB = 65_536


Progress = Callable[[int, int], None]


class Disk:
    """One open file. Changes gather in memory and are committed together, at the end of the event loop's turn.

    The commit hands them to the operating system, which survives the end of any process; answers wait for it. A thread then
    has them brought to the medium, which survives the end of power as well: within a second, or, with `wait_for_medium`,
    before the answer.
    """

    def __init__(self, path: Path, *, wait_for_medium: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Answers are made in the event loop's thread, but items that expire are removed in another one.
        self._lock = threading.Lock()
        self._items: dict[tuple[int, bytes], tuple[int, Any] | None] = {}
        self._things: dict[tuple[str, str], Any] = {}
        self._dropped_tables: list[int] = []
        self._turn: asyncio.Future[None] | None = None
        self._commits, self._synced = 0, 0
        self._syncing: asyncio.Future[None] | None = None
        self._sync_due: asyncio.TimerHandle | None = None
        self._wait_for_medium = wait_for_medium
        try:
            self._file = _opened(path)
            self.empty = self._file.execute("SELECT NOT EXISTS (SELECT 1 FROM thing)").fetchone()[0] == 1
        except sqlite3.DatabaseError as error:
            raise Unreadable(path, str(error)) from error
        self.path = path
        # SQLite commits by writing to this log ahead of the file; from time to time it moves it into the file, synchronously.
        self._log = os.open(f"{path}-wal", os.O_RDONLY)

    def put_item(self, part: int, sk: str, table: int, item: Any) -> None:
        """Remember a new version of an item."""
        with self._lock:
            self._items[part, _bytes(sk)] = (table, item)

    def drop_item(self, part: int, sk: str) -> None:
        """Remember that an item is gone."""
        with self._lock:
            self._items[part, _bytes(sk)] = None

    def drop_table(self, table: int) -> None:
        """Remember that a table is gone with all its items."""
        with self._lock:
            self._dropped_tables.append(table)

    def put(self, kind: str, name: str, value: Any) -> None:
        """Remember anything else: bytes as they are, all other values as JSON; None removes it."""
        with self._lock:
            self._things[kind, name] = value

    def drop(self, kind: str, name: str) -> None:
        """Remember that a thing is gone."""
        self.put(kind, name, None)

    def get(self, kind: str, name: str) -> Any:
        """A thing's value, None where there is none."""
        with self._lock:
            if (kind, name) in self._things:
                return self._things[kind, name]
        for (value,) in self._read("SELECT value FROM thing WHERE kind = ? AND name = ?", (kind, name)):
            return self._decoded(value)
        return None

    def all(self, kind: str) -> Iterator[tuple[str, Any]]:
        """All things of a kind, by name."""
        for name, value in self._read("SELECT name, value FROM thing WHERE kind = ? ORDER BY name", (kind,)):
            yield name, self._decoded(value)

    def items(self, progress: Progress) -> Iterator[tuple[int, str, int, Any]]:
        """All items: partition, sort key, table, the item; partition by partition."""
        ((total,),) = self._read("SELECT count(*) FROM item")
        progress(0, total)
        rows = self._read("SELECT part, sk, tbl, value FROM item ORDER BY part, sk")
        for seen, (part, sk, table, text) in enumerate(rows, 1):
            yield part, sk.decode(errors="surrogatepass"), table, self._decoded(text)
            if seen % _TOLD_EVERY == 0 or seen == total:
                progress(seen, total)

    async def settled(self) -> None:
        """Return when everything that was remembered until now is safe; raise what kept it from being so."""
        if self._turn is None and self.pending:
            loop = asyncio.get_running_loop()
            self._turn = loop.create_future()
            loop.call_soon(self._end_of_turn)
        if self._turn is not None:
            await asyncio.shield(self._turn)
        goal = self._commits
        while self._wait_for_medium and self._synced < goal:
            if self._syncing is None:
                self._begin_sync()
            assert self._syncing is not None, "begun"
            await asyncio.shield(self._syncing)

    @property
    def pending(self) -> bool:
        """Whether anything waits to be written."""
        return bool(self._items or self._things or self._dropped_tables)

    def _end_of_turn(self) -> None:
        turn, self._turn = self._turn, None
        assert turn is not None, "only `settled` calls for the end of a turn"
        try:
            self.write()
        except sqlite3.Error as error:
            # A failed write stays remembered and is tried again with the next change: until then nobody is answered.
            turn.set_exception(error)
            turn.exception()
        else:
            turn.set_result(None)
            if not self._wait_for_medium and self._sync_due is None:
                self._sync_due = asyncio.get_running_loop().call_later(SYNC_SECONDS, self._begin_sync)

    def _begin_sync(self) -> None:
        self._sync_due = None
        self._syncing = asyncio.ensure_future(self._sync())

    async def _sync(self) -> None:
        reached = self._commits
        try:
            await asyncio.get_running_loop().run_in_executor(None, _to_medium, self._log)
        finally:
            self._syncing = None
        self._synced = reached

    def write(self) -> None:
        """Commit what was remembered; on failure it stays remembered."""
        with self._lock:
            items, things, tables = self._items, self._things, self._dropped_tables
            self._items, self._things, self._dropped_tables = {}, {}, []
        try:
            self._commit(items, things, tables)
            self._commits += 1
        except BaseException:
            with self._lock:
                self._items, self._things = items | self._items, things | self._things
                self._dropped_tables = tables + self._dropped_tables
            raise

    def _commit(
        self, items: dict[tuple[int, bytes], Any], things: dict[tuple[str, str], Any], tables: list[int]
    ) -> None:
        rows = [(*key, kept[0], _json(kept[1])) for key, kept in items.items() if kept is not None]
        put = [(*key, _encoded(value)) for key, value in things.items() if value is not None]
        with self._file as file:
            file.execute("BEGIN IMMEDIATE")
            file.executemany(_PUT_ITEM, rows)
            if len(rows) < len(items):
                gone = [key for key, kept in items.items() if kept is None]
                file.executemany("DELETE FROM item WHERE part = ? AND sk = ?", gone)
            if things:
                file.executemany(_PUT_THING, put)
                left = [key for key, value in things.items() if value is None]
                file.executemany("DELETE FROM thing WHERE kind = ? AND name = ?", left)
            for table in tables:
                file.execute("DELETE FROM item WHERE tbl = ?", (table,))

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.write()
        self._file.execute("PRAGMA synchronous = FULL")
        self.abandon()

    def abandon(self) -> None:
        """Close the file and write nothing."""
        self._file.close()
        os.close(self._log)

    def _decoded(self, value: str | bytes) -> Any:
        if isinstance(value, bytes):
            return value
        try:
            return orjson.loads(value)
        except ValueError:  # As in `_json`.
            return self._guarded(lambda: json.loads(value))

    def _read(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        rows = self._guarded(lambda: self._file.execute(statement, values))
        while found := self._guarded(lambda: rows.fetchmany(_READ_AT_ONCE)):
            yield from found

    def _guarded(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (sqlite3.DatabaseError, ValueError) as error:
            raise Unreadable(self.path, str(error)) from error


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    file.execute("PRAGMA locking_mode = EXCLUSIVE")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")  # A commit is with the operating system when it returns.
    file.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    file.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    version = file.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT:
        raise Unreadable(path, f"it has format {version}, and this Tollgate knows {FORMAT}")
    if version < FORMAT:
        file.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
    return file


def _to_medium(file: int) -> None:
    try:
        getattr(os, "fdatasync", os.fsync)(file)
    except OSError as error:
        # The state of the medium is not known any more, and asking again might say that all is well.
        print(f"The medium takes nothing: {error}", file=sys.stderr, flush=True)
        os._exit(5)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _encoded(value: Any) -> str | bytes:
    return value if isinstance(value, bytes) else _json(value)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # Half of a surrogate pair, which JSON can carry and UTF-8 cannot: it must not keep everything else from being written.
        return json.dumps(value)
