"""The file of the local stack's state: nobody is answered before it has what was remembered."""

import asyncio
import sqlite3

import pytest

from infra.local.keeping import disk as disk_module
from infra.local.keeping.disk import Disk
from infra.local.keeping.errors import Unreadable


@pytest.fixture
def disk(tmp_path):
    made = Disk(tmp_path / "state.db")
    yield made
    made.close()


def _copied(disk: Disk, to):
    """What a kill at this instant would leave, opened."""
    for name in (disk.path, disk.path.with_name(f"{disk.path.name}-wal")):
        (to / name.name).write_bytes(name.read_bytes())
    return Disk(to / disk.path.name)


def _items(disk: Disk) -> list[tuple]:
    return list(disk.items(lambda seen, total: None))


def test_what_is_settled_is_in_the_file_before_it_is_closed(disk, tmp_path):
    async def write() -> None:
        disk.put_item(1, "a", 1, {"v": {"S": "x\ud83d"}})  # Half of a surrogate pair: JSON carries it.
        disk.put_item(1, "b\ud83d", 1, {})
        disk.put_item(2, "a", 1, {})
        disk.put("kind", "bytes", bytes(range(256)))
        disk.put("kind", "json", {"a": [1, None]})
        await disk.settled()
        disk.drop_item(2, "a")
        disk.drop("kind", "bytes")
        await disk.settled()

    asyncio.run(write())
    (tmp_path / "copy").mkdir()
    copy = _copied(disk, tmp_path / "copy")
    assert _items(copy) == [(1, "a", 1, {"v": {"S": "x\ud83d"}}), (1, "b\ud83d", 1, {})]
    assert list(copy.all("kind")) == [("json", {"a": [1, None]})]
    assert copy.get("kind", "bytes") is None
    copy.close()


def test_all_of_one_turn_is_one_commit_and_who_only_reads_waits_for_it(disk):
    async def one(n: int) -> int:
        if n % 2 == 0:
            disk.put_item(n, "a", 1, {})
        await disk.settled()
        return len(_items(disk))

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(one(n) for n in range(20)))

    assert asyncio.run(all_at_once()) == [10] * 20
    assert disk._commits == 1


@pytest.mark.parametrize("wait", [False, True], ids=["within a second", "before the answer"])
def test_what_is_answered_reaches_the_medium(tmp_path, monkeypatch, wait):
    reached: list[int] = []
    monkeypatch.setattr(disk_module, "_to_medium", reached.append)
    monkeypatch.setattr(disk_module, "SYNC_SECONDS", 0.05)
    disk = Disk(tmp_path / "state.db", wait_for_medium=wait)

    async def write() -> None:
        for part in range(3):
            disk.put_item(part, "a", 1, {})
            await disk.settled()
            assert len(reached) == (part + 1 if wait else 0)
        await disk.settled()
        await asyncio.sleep(0.3)
        assert len(reached) == (3 if wait else 1)

    asyncio.run(write())
    disk.close()


def test_nobody_is_answered_while_the_file_takes_nothing_and_nothing_is_forgotten(disk, monkeypatch):
    commit = disk._commit

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def write(part: int) -> None:
        disk.put_item(part, "a", 1, {})
        await disk.settled()

    monkeypatch.setattr(disk, "_commit", full)
    for part in (1, 2):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            asyncio.run(write(part))
    assert _items(disk) == []
    monkeypatch.setattr(disk, "_commit", commit)
    asyncio.run(write(3))
    assert [row[0] for row in _items(disk)] == [1, 2, 3]


def test_a_later_change_wins_over_one_that_could_not_be_written(disk, monkeypatch):
    commit = disk._commit

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(disk, "_commit", full)
    disk.put_item(1, "a", 1, {"v": {"S": "first"}})
    disk.put_item(2, "a", 1, {})
    with pytest.raises(sqlite3.OperationalError):
        disk.write()
    monkeypatch.setattr(disk, "_commit", commit)
    disk.put_item(1, "a", 1, {"v": {"S": "second"}})
    disk.drop_item(2, "a")
    disk.write()
    assert _items(disk) == [(1, "a", 1, {"v": {"S": "second"}})]


def test_a_file_of_a_later_format_is_left_alone(disk, tmp_path):
    disk._file.execute("PRAGMA user_version = 99")
    (tmp_path / "copy").mkdir()
    with pytest.raises(Unreadable, match="format 99"):
        _copied(disk, tmp_path / "copy")
