"""The records that all catalog resources share: found by id or code, listed newest first, deleted softly.

Items
    pk                          sk    what it is
    <org>#<name>#<id>           -     the record; index list: <org>#<name> / <created_at>#<id>, live and listed ones (sparse)
    <org>#<name>-code#<code>    -     uniqueness item: one live record per code, names its id

Access patterns
    1 get(org, id)                              GetItem   consistent, deleted ones too (issued documents still name them)
    2 find(org, code)                           GetItem   uniqueness item, then 1
    3 page(org, ...), newest(org, number)       Query     index list
    4 create, replace, remove                   Transact  record, uniqueness item and totals together
    5 get_many(org, ids), get_together(org, ...)  BatchGet  consistent, of several collections at once
    6 find_many(org, codes)                     BatchGet  uniqueness items, then 5
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import UnicodeAttribute

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import ChangedMeanwhile, Invalid
from chalicelib.platform import counters, listing, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.dynamodb import Cancelled, Key, RawItem
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Listed, Row, Searched, Versioned
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit, Write


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


class RecordRow(Versioned):
    """A row around one record, whose version stands beside it."""

    record: RecordAttribute[Any]

    @property
    def value(self) -> Any:
        """The record with its version."""
        return self.record.model_copy(update={"version": self.version})


class CatalogRow(RecordRow, Listed, Searched):
    """The row of a catalog resource's record; each resource names its class of record."""


class CodeRow(Row):
    """The uniqueness item of a code."""

    id = UnicodeAttribute()


@dataclass(frozen=True, slots=True)
class Catalog(Generic[R]):
    """The records of one resource, to be read. `code` tells a record's unique code (None: it has none); `listed` whether
    it belongs to the list, and counts there, while it lives; `parts`: totals of the list that it counts in besides."""

    name: str
    record: type[R]
    row: type[CatalogRow]
    code: Callable[[R], str | None]
    search: Callable[[R], str] = lambda record: ""
    code_field: str = "code"
    listed: Callable[[R], bool] = lambda record: True
    parts: Callable[[R], Sequence[str]] = lambda record: ()

    def get(self, organization_id: OrganizationId, record_id: str) -> R | None:
        """The record under an id, deleted or not."""
        found = self.row.find(*self.key(organization_id, record_id))
        return None if found is None else found.value

    def get_many(self, organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, R]:
        """The records under these ids, deleted or not."""
        found = self.row.find_many([self.key(organization_id, record_id) for record_id in ids])
        return {row.record.id: row.value for row in found.values()}

    def find(self, organization_id: OrganizationId, code: str) -> R | None:
        """The live record of a code."""
        holder = CodeRow.find(*self._code_key(organization_id, code)) if code else None
        record = self.get(organization_id, holder.id) if holder else None
        return record if record and record.deleted_at is None else None

    def find_many(self, organization_id: OrganizationId, codes: Sequence[str]) -> dict[str, R]:
        """The live records of these codes, in two requests."""
        holders = CodeRow.find_many([self._code_key(organization_id, code) for code in codes if code])
        records = self.get_many(organization_id, [holder.id for holder in holders.values()])
        return {str(self.code(r)): r for r in records.values() if r.deleted_at is None}

    def page(
        self, organization_id: OrganizationId, wanted: listing.Wanted, search_term: str | None = None
    ) -> tuple[list[R], dict[str, int | None]]:
        """One page of the live records, newest first, and its `meta`."""
        chosen = listing.Filter()
        chosen.words(search_term)
        total = None if search_term else lambda: counters.total(organization_id, self.name)
        pk = key(organization_id, self.name)
        listed = listing.Listing(organization_id, self.row, pk, where=chosen.conditions, total=total)
        found, meta = listing.read(listed, wanted)
        return [row.value for row in found], meta

    def newest(self, organization_id: OrganizationId, number: int) -> list[R]:
        """The newest live records, in one request that counts nothing: for what offers a choice of them."""
        pk = key(organization_id, self.name)
        found = rows.page(pk, index="list", descending=True, limit=number)
        return [self.row.read(item).value for item in found.items]

    def key(self, organization_id: OrganizationId, record_id: str) -> Key:
        """The key of a record."""
        return key(organization_id, self.name, record_id), "-"

    def _code_key(self, organization_id: OrganizationId, code: str) -> Key:
        return key(organization_id, f"{self.name}-code", code), "-"


@dataclass(frozen=True, slots=True)
class Collection(Catalog[R]):
    """The records of one resource, as their own room changes them. Other rooms see the `Catalog`."""

    def create_actions(self, organization_id: OrganizationId, record: R) -> list[Write]:
        """Record, uniqueness item and total of a new record, for a change that was decided where nobody had the code: who has
        taken it since was faster, and the change runs again."""
        return self._creation(organization_id, record, self._take(organization_id, record, refused=False))

    def create(self, organization_id: OrganizationId, record: R, extra: Sequence[Write] = ()) -> R:
        """Store a new record.

        Raises: Invalid, `value_already_exist` on the code; Cancelled, when `extra` was refused or collisions did not
        end.
        """
        Unit(self._creation(organization_id, record, self._take(organization_id, record)), extra).commit()
        return record

    def replace_action(self, organization_id: OrganizationId, old: R, new: R) -> Write:
        """Replace `old` by `new`, of the same code and parts of the list, under its optimistic lock."""
        return self.row_of(organization_id, new).replace(old.version)

    def replace(self, organization_id: OrganizationId, old: R, new: R, extra: Sequence[Write] = ()) -> R:
        """Write `new` over `old`, moving the uniqueness item when the code changes.

        Raises: Invalid, when the new code is in use; ChangedMeanwhile, when somebody else wrote in between.
        """
        moved: list[Write] = []
        if self.code(old) != self.code(new):
            moved = [*self._take(organization_id, new), *self._release(organization_id, old)]
        total = self._counted(organization_id, old, new)
        self._commit(Unit(moved, self.replace_action(organization_id, old, new), total, extra))
        return new.model_copy(update={"version": old.version + 1})

    def remove(self, organization_id: OrganizationId, old: R, *, now: datetime, extra: Sequence[Write] = ()) -> R:
        """Delete softly: out of reads and lists, its code free again, the record kept for what names it.

        Raises: ChangedMeanwhile, when somebody else wrote in between.
        """
        gone = old.model_copy(update={"deleted_at": now})
        total = self._counted(organization_id, old, None)
        replaced = self.replace_action(organization_id, old, gone)
        self._commit(Unit(replaced, self._release(organization_id, old), total, extra))
        return gone

    def row_of(self, organization_id: OrganizationId, record: R) -> CatalogRow:
        """The row of a record."""
        pk, sk = self.key(organization_id, record.id)
        row = self.row(pk=pk, sk=sk, version=record.version, record=record)
        if record.deleted_at is None and self.listed(record):
            row.list_pk = key(organization_id, self.name)
            row.list_sk = f"{stamp(record.created_at)}#{record.id}"
            row.words = rows.words_of(self.search(record))
        return row

    def _commit(self, unit: Unit) -> None:
        try:
            unit.commit()
        except Cancelled as error:
            raise ChangedMeanwhile(self.name) if error.is_race else error from error

    def _counted(self, organization_id: OrganizationId, old: R | None, new: R | None) -> list[Write]:
        changes = Counter[str]()
        for record, sign in ((old, -1), (new, 1)):
            if record is not None and self.listed(record):
                for name in ("all", *self.parts(record)):
                    changes[name] += sign
        record = new or old
        return [] if record is None else counters.moved(organization_id, self.name, record.id, changes)

    def _creation(self, organization_id: OrganizationId, record: R, taken: list[Write]) -> list[Write]:
        total = self._counted(organization_id, None, record)
        return [*taken, self.row_of(organization_id, record).create(), *total]

    def _take(self, organization_id: OrganizationId, record: R, *, refused: bool = True) -> list[Write]:
        """Take a record's code. `refused`: whether it is a refusal that another record has it. Where a parallel change gave it
        to this very record, that is a lost race in any case."""
        code = self.code(record)
        if code is None:
            return []

        def taken(item: RawItem | None) -> Exception | None:
            own = item is not None and CodeRow.read(item).id == record.id
            return None if own else Invalid.field(self.code_field, ErrorCode.VALUE_ALREADY_EXIST)

        pk, sk = self._code_key(organization_id, code)
        return [CodeRow(pk=pk, sk=sk, id=record.id).create(taken if refused else None)]

    def _release(self, organization_id: OrganizationId, record: R) -> list[Write]:
        code = self.code(record)
        return [] if code is None else [CodeRow.remove_key(self._code_key(organization_id, code))]


def get_together(organization_id: OrganizationId, *wanted: tuple[Catalog[Any], Iterable[str]]) -> list[dict[str, Any]]:
    """The records under these ids of several catalogs, deleted or not, each by id; read in one request."""
    places: list[dict[Key, type[Row]]] = [
        {catalog.key(organization_id, each): catalog.row for each in ids} for catalog, ids in wanted
    ]
    found = rows.find_together({place: row for some in places for place, row in some.items()})
    records = [[found[place].value for place in some if place in found] for some in places]  # type: ignore[attr-defined]
    return [{record.id: record for record in each} for each in records]
