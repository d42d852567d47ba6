"""What all catalog resources share: a record by id, found by its code, listed newest first, deleted softly.

Items
    pk                          sk    what it is
    <org>#<name>#<id>           -     the record; index list: <org>#<name> / <created_at>#<id>, live and listed ones (sparse)
    <org>#<name>-code#<code>    -     guard: one live record per code, names its id

Access patterns
    1 get(org, id)            GetItem   consistent, deleted ones too (issued documents still name them)
    2 find(org, code)         GetItem   guard, then 1
    3 page(org, ...)          Query     index list
    4 all(org)                Query     index list, then 1 for each: consistent for what the list knows
    5 create, replace, remove Transact  record, guard and totals together
    6 get_together(org, ...)  BatchGet  consistent, records of several collections at once
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import ChangedMeanwhile, Invalid
from chalicelib.platform import counters, listing
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.table import Action, Cancelled, Item, Key, core, transact
from chalicelib.platform.timestamps import stamp


class Record(BaseModel):
    """Base of everything stored under an id. `created_at` is the organization's time. Never changed in place."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    version: int = 0

    def changed(self, *, now: datetime, **values: Any) -> Any:
        """The record after a change, not yet written."""
        return self.model_copy(update={**values, "updated_at": now})


R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Collection(Generic[R]):
    """The records of one resource. `code` tells a record's unique code (None: it has none); `listed` whether it belongs
    to the list, and counts there, while it lives."""

    name: str
    record: type[R]
    code: Callable[[R], str | None]
    search: Callable[[R], str] = lambda record: ""
    code_field: str = "code"
    listed: Callable[[R], bool] = lambda record: True

    def get(self, organization_id: OrganizationId, record_id: str) -> R | None:
        """The record under an id, deleted or not."""
        item = core.get(*self.key(organization_id, record_id))
        return None if item is None else self.read(item)

    def get_many(self, organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, R]:
        """The records under these ids, deleted or not."""
        found = core.get_many([self.key(organization_id, record_id) for record_id in ids])
        records = [self.read(item) for item in found.values()]
        return {record.id: record for record in records}

    def find(self, organization_id: OrganizationId, code: str) -> R | None:
        """The live record of a code."""
        guard = core.get(*self._guard(organization_id, code)) if code else None
        record = self.get(organization_id, guard["id"]) if guard else None
        return record if record and record.deleted_at is None else None

    def find_many(self, organization_id: OrganizationId, codes: Sequence[str]) -> dict[str, R]:
        """The live records of these codes, in two requests."""
        guards = core.get_many([self._guard(organization_id, code) for code in codes if code])
        records = self.get_many(organization_id, [guard["id"] for guard in guards.values()])
        return {str(self.code(r)): r for r in records.values() if r.deleted_at is None}

    def page(
        self, organization_id: OrganizationId, wanted: listing.Wanted, search_term: str | None = None
    ) -> tuple[list[R], dict[str, int | None]]:
        """One page of the live records, newest first, and its `meta`."""
        where: dict[str, Any] = {}
        if search_term:
            where = {"where": ["contains(words, :term)"], "values": {":term": search_term.lower()}}
        else:
            where = {"total": lambda: counters.total(organization_id, self.name)}
        items, meta = listing.read(listing.Listing(organization_id, key(organization_id, self.name), **where), wanted)
        return [self.read(item) for item in items], meta

    def all(self, organization_id: OrganizationId) -> list[R]:
        """All live records, newest first; for small collections only."""
        items = list(core.query(key(organization_id, self.name), index="list", descending=True))
        return [self.read(item) for item in items]

    # Changing.

    def create_actions(self, organization_id: OrganizationId, record: R) -> list[Action]:
        """Record, guard and total of a new record; the guard's refusal means that the code is taken."""
        code = self.code(record)
        guard = [] if code is None else [core.create(self._guard_item(organization_id, code, record.id))]
        total = self._counted(organization_id, record, 1)
        return [*guard, core.create(self.item(organization_id, record)), *total]

    def create(self, organization_id: OrganizationId, record: R, extra: Sequence[Action] = ()) -> R:
        """Store a new record.

        Raises: Invalid, `value_already_exist` on the code; Cancelled, when `extra` was refused or collisions did not end.
        """
        try:
            transact([*self.create_actions(organization_id, record), *extra])
        except Cancelled as error:
            if self.code(record) is not None and _is_taken(error, record.id):
                raise Invalid.field(self.code_field, ErrorCode.VALUE_ALREADY_EXIST) from error
            raise
        return record

    def replace_action(self, organization_id: OrganizationId, old: R, new: R) -> Action:
        """Write `new` over `old`; refused if somebody else wrote in between."""
        item = self.item(organization_id, new.model_copy(update={"version": old.version + 1}))
        return core.put(item, condition="version = :version", values={":version": old.version})

    def replace(self, organization_id: OrganizationId, old: R, new: R, extra: Sequence[Action] = ()) -> R:
        """Write `new` over `old`, moving the guard when the code changes.

        Raises: Invalid, when the new code is taken; ChangedMeanwhile, when somebody else wrote in between.
        """
        old_code, new_code = self.code(old), self.code(new)
        guards: list[Action] = []
        if old_code != new_code:
            guards = [core.create(self._guard_item(organization_id, str(new_code), new.id))]
            guards.append(core.delete(self._guard(organization_id, str(old_code))))
        try:
            transact([*guards, self.replace_action(organization_id, old, new), *extra])
        except Cancelled as error:
            if guards and _is_taken(error, new.id):
                raise Invalid.field(self.code_field, ErrorCode.VALUE_ALREADY_EXIST) from error
            raise self._refused(error) from error
        return new.model_copy(update={"version": old.version + 1})

    def remove(self, organization_id: OrganizationId, old: R, *, now: datetime, extra: Sequence[Action] = ()) -> R:
        """Delete softly: out of reads and lists, its code free again, the record kept for what names it.

        Raises: ChangedMeanwhile, when somebody else wrote in between.
        """
        gone = old.model_copy(update={"deleted_at": now})
        code = self.code(old)
        guard = [] if code is None else [core.delete(self._guard(organization_id, code))]
        total = self._counted(organization_id, old, -1)
        try:
            transact([self.replace_action(organization_id, old, gone), *guard, *total, *extra])
        except Cancelled as error:
            raise self._refused(error) from error
        return gone

    # Items and keys.

    def key(self, organization_id: OrganizationId, record_id: str) -> Key:
        """Where a record stands."""
        return key(organization_id, self.name, record_id), "-"

    def item(self, organization_id: OrganizationId, record: R) -> Item:
        """A record as an item."""
        pk, sk = self.key(organization_id, record.id)
        item: Item = {"pk": pk, "sk": sk, "version": record.version, "record": dump(record)}
        if record.deleted_at is None and self.listed(record):
            item["list_pk"] = key(organization_id, self.name)
            item["list_sk"] = f"{stamp(record.created_at)}#{record.id}"
            item["words"] = self.search(record).lower()
        return item

    def read(self, item: Mapping[str, Any]) -> R:
        """The record in an item."""
        return self.record.model_validate(item["record"] | {"version": item["version"]})

    def _refused(self, error: Cancelled) -> Exception:
        return ChangedMeanwhile(self.name) if error.is_race else error

    def _counted(self, organization_id: OrganizationId, record: R, change: int) -> list[Action]:
        changes = {"all": change if self.listed(record) else 0}
        return counters.moved(organization_id, self.name, record.id, changes)

    def _guard(self, organization_id: OrganizationId, code: str) -> Key:
        return key(organization_id, f"{self.name}-code", code), "-"

    def _guard_item(self, organization_id: OrganizationId, code: str, record_id: str) -> Item:
        pk, sk = self._guard(organization_id, code)
        return {"pk": pk, "sk": sk, "id": record_id}


def _is_taken(error: Cancelled, record_id: str) -> bool:
    """Whether a code belongs to another record, and nothing else was refused with it. Where something else was, or a
    parallel change gave the code to this very record, the decision rests on what has changed meanwhile."""
    guard, *others = error.reasons
    holder = guard.item or {}
    return guard.failed and holder.get("id") != record_id and all(reason.code == "None" for reason in others)


def get_together(
    organization_id: OrganizationId, *wanted: tuple[Collection[Any], Iterable[str]]
) -> list[dict[str, Any]]:
    """The records under these ids of several collections, deleted or not, each by id; read in one request."""
    keys = [
        [collection.key(organization_id, record_id) for record_id in dict.fromkeys(ids)] for collection, ids in wanted
    ]
    items = core.get_many([each for some in keys for each in some])
    found = [
        [source.read(items[k]) for k in some if k in items] for (source, _), some in zip(wanted, keys, strict=True)
    ]
    return [{record.id: record for record in records} for records in found]


def dump(record: BaseModel) -> dict[str, Any]:
    """A record as storable values: instants and exact numbers as text, so that nothing is rounded on the way."""
    return record.model_dump(mode="json", exclude={"version"})
