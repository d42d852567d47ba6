"""S3's buckets and objects. Contents stay in the file and are read from it; of older versions only the memory knows."""

from typing import Any

from ministack.services import s3 as MODULE

from infra.local.keeping.disk import Disk, Progress
from infra.local.keeping.state import State

NAME = "s3"

# Fields that ministack keeps of an object beside its content.
_DESCRIBED = [
    "content_type",
    "content_encoding",
    "etag",
    "last_modified",
    "size",
    "metadata",
    "preserved_headers",
    "storage_class",
    "checksums",
    "version_id",
]


class Objects(dict[str, Any]):
    """Objects of one bucket by key. Each way of deleting takes them out of here."""

    def __init__(self, disk: Disk, bucket: str, found: dict[str, Any]) -> None:
        super().__init__(found)
        self._disk, self._bucket = disk, bucket

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._forget(key)

    def pop(self, key: str, *default: Any) -> Any:
        """The object, removed."""
        if key in self:
            self._forget(key)
        return super().pop(key, *default)

    def _forget(self, key: str) -> None:
        for kind in ("content", "object"):
            self._disk.drop(kind, f"{self._bucket}/{key}")


class _Kept:
    """All buckets of the file."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self.state = disk, State(disk, NAME)

    def load(self) -> None:
        """Fill ministack from the file."""
        MODULE.restore_state(self.state.load())
        for name, record in self.disk.all("object"):
            account, bucket, key = name.split("/", 2)
            MODULE._buckets._data[account, bucket]["objects"][key] = {**record, "body": None}
            if record.get("version_id"):
                version = MODULE._version_entry_from_record(record, record["version_id"], None) | {"is_latest": True}
                MODULE._object_versions._data[account, (bucket, key)] = [version]
        self.look()

    def put(self, bucket: str, key: str, record: dict[str, Any]) -> None:
        """Remember an object; its content leaves the memory."""
        name = _name(bucket, key)
        self.disk.put("content", name, record["body"])
        self.disk.put("object", name, {field: record.get(field) for field in _DESCRIBED})
        record["body"] = None

    def read(self, bucket: str, key: str, record: dict[str, Any]) -> bytes:
        """An object's content."""
        body = record.get("body")
        found: bytes | None = self.disk.get("content", _name(bucket, key)) if body is None else body
        return b"" if found is None else found

    def look(self) -> None:
        """Make new buckets' dicts ours, and write what stands about buckets."""
        for (account, name), bucket in MODULE._buckets._data.items():
            if type(bucket["objects"]) is not Objects:
                bucket["objects"] = Objects(self.disk, f"{account}/{name}", bucket["objects"])
        self.state.save(MODULE.get_state())


def _name(bucket: str, key: str) -> str:
    return f"{MODULE.get_account_id()}/{bucket}/{key}"


_kept: _Kept | None = None


def load(disk: Disk, progress: Progress) -> None:
    """Fill ministack's buckets from the file, and put ours in place of its way of writing objects to a folder."""
    global _kept
    _kept = _Kept(disk)
    _kept.load()
    MODULE.S3_PERSIST = True
    MODULE._persist_object, MODULE._read_body = _kept.put, _kept.read
    MODULE._delete_persisted_object = MODULE._delete_persisted_bucket = lambda *names: None  # See `Objects`.


def adopt(state: dict[str, Any]) -> None:
    """Take over what an earlier version saved, its objects from their folder (`legacy`) included."""
    assert _kept is not None, "loaded first"
    MODULE.restore_state(state)
    for bucket, key, record in state["objects"]:
        MODULE._buckets[bucket]["objects"][key] = record
        _kept.put(bucket, key, record)
    changed({"method": "PUT"})


def changed(request: dict[str, str]) -> None:
    """After a request: objects have remembered themselves, buckets are looked at after each that may have changed one."""
    assert _kept is not None, "loaded first"
    if request["method"] not in ("GET", "HEAD"):
        _kept.look()
