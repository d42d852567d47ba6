"""Rows and units: what is written is read back, and a failed condition is the refusal that it means."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute
from pynamodb.expressions.operand import Path

from chalicelib.domain.errors import Invalid
from chalicelib.features.coupons.store import AppliedCouponRow
from chalicelib.features.credit_notes.store import OpenNoteRow
from chalicelib.features.customers.items import CustomerItem
from chalicelib.features.customers.store import BillingStateRow, CustomerRow
from chalicelib.features.subscriptions.store import SubscriptionRow
from chalicelib.features.wallets.store import WalletRow
from chalicelib.platform import counters, dynamodb, rows
from chalicelib.platform.attributes import (
    DecimalAttribute,
    InstantAttribute,
    RecordAttribute,
    TextsAttribute,
    ValuesAttribute,
    WholeAttribute,
)
from chalicelib.platform.dynamodb import Cancelled, ConditionFailed
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.rows import Listed, Row, Versioned
from chalicelib.platform.unit import Unit
from tests.support import capacity

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
TAKEN = Invalid.field("code", "value_already_exist")


class Thing(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    rate: Decimal
    at: datetime
    note: str | None = None
    parts: tuple[str, ...] = ()
    version: int = 0


class ThingRow(Versioned, Listed):
    record = RecordAttribute(Thing)
    size = WholeAttribute(null=True)
    sum = DecimalAttribute(null=True)
    at = InstantAttribute(null=True)
    detail = ValuesAttribute(null=True)
    words = TextsAttribute(null=True)
    done = BooleanAttribute(null=True)


class CodeRow(Row):
    id = UnicodeAttribute()


def row(pk: str = "thing", **values: object) -> ThingRow:
    record = Thing(name="n", rate=Decimal("0.1"), at=NOON)
    return ThingRow(**{"pk": pk, "version": 0, "record": record, **values})


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=15, min_value=-(10**20), max_value=10**20)


@given(
    size=st.none() | st.integers(-(10**37), 10**37),
    total=st.none() | decimals,
    detail=st.none() | st.dictionaries(st.text(min_size=1), st.none() | st.text() | st.integers() | st.booleans()),
    words=st.none() | st.lists(st.text()),
    done=st.none() | st.booleans(),
    rate=decimals,
    note=st.none() | st.text(),
    parts=st.lists(st.text()).map(tuple),
)
def test_a_row_reads_back_as_it_was_written(size, total, detail, words, done, rate, note, parts):
    record = Thing(name="n", rate=rate, at=NOON, note=note, parts=parts)
    written = row(record=record, size=size, sum=total, at=NOON, detail=detail, words=words, done=done)
    read = ThingRow.read(written.serialize())
    assert (read.record, read.size, read.sum, read.at) == (record, size, total, NOON)
    assert (read.detail, read.words, read.done, read.key) == (detail, words, done, ("thing", "-"))


def test_an_absent_value_of_an_older_item_was_stored_as_null():
    item = {**row().serialize(), "at": {"NULL": True}, "list_pk": {"NULL": True}}
    read = ThingRow.read(item)
    assert (read.at, read.list_pk) == (None, None)


def test_a_row_is_found_as_it_was_put(aws):
    row().put().alone()
    found = ThingRow.find("thing")
    assert found is not None
    assert found.record.rate == Decimal("0.1")
    assert ThingRow.find("nothing") is None
    assert set(ThingRow.find_many([("thing", "-"), ("nothing", "-")])) == {("thing", "-")}


def test_a_row_is_written_over_only_as_it_was_read(aws):
    row().create().alone()
    row().replace(0).alone()
    with pytest.raises(ConditionFailed):
        row().replace(0).alone()
    found = ThingRow.find("thing")
    assert found is not None
    assert found.version == 1
    row().replace(1).alone()


def test_a_change_names_attributes_that_are_data(aws):
    Row.change(("counts", "-"), Path(["status=a.b"]).add(2), Path(["all"]).add(1)).alone()
    Row.change(("counts", "-"), Path(["status=a.b"]).add(-1)).alone()
    values = rows.find_values("counts")
    assert (values["status=a.b"], values["all"]) == (1, 1)


def test_a_query_gives_rows_between_bounds_and_by_a_field_of_their_record(aws):
    for n in range(5):
        record = Thing(name="odd" if n % 2 else "even", rate=Decimal(n), at=NOON)
        row(sk=f"s{n}", record=record, list_pk="all", list_sk=f"{n}").put().alone()
    within = ThingRow.sk.between("s1", "s3")
    assert [r.sk for r in ThingRow.select("thing", within=within, descending=True)] == ["s3", "s2", "s1"]
    where = rows.field("name").is_in("even")
    assert [r.sk for r in ThingRow.select("all", index="list", where=where)] == ["s0", "s2", "s4"]
    first = rows.page("all", index="list", limit=2)
    rest = rows.page("all", index="list", position=rows.position_of(ThingRow.read(first.items[-1]), "list"))
    assert [item["sk"]["S"] for item in rest.items] == ["s2", "s3", "s4"]


# Units.


def code(name: str = "code", refusal: object = TAKEN) -> object:
    return CodeRow(pk=name, id="other").create(refusal)


def test_a_unit_writes_everything_or_nothing(aws):
    Unit(code(), [row().create()]).commit()
    with pytest.raises(Invalid) as refused:
        Unit(row("another").create(), code()).commit()
    assert refused.value is TAKEN
    assert ThingRow.find("another") is None


def test_the_first_refusal_is_raised_whatever_its_place(aws):
    Unit(code("a"), code("b")).commit()
    other = Invalid.field("url", "value_already_exist")
    for writes in ([code("c"), code("a"), code("b", other)], [code("a"), row().create(), code("b", other)]):
        with pytest.raises(Invalid) as refused:
            Unit(writes).commit()
        assert refused.value is TAKEN


def test_a_lost_race_beside_a_refusal_is_a_lost_race(aws):
    Unit(code(), row().create()).commit()
    with pytest.raises(Cancelled) as lost:
        Unit(code(), row().replace(7)).commit()
    assert lost.value.is_race


def test_a_refusal_may_depend_on_what_stands_there(aws):
    Unit(code()).commit()

    def taken(item: dynamodb.RawItem | None) -> Exception | None:
        assert item is not None
        return None if CodeRow.read(item).id == "other" else TAKEN

    with pytest.raises(Cancelled):  # Its own: somebody was faster, and nothing is refused.
        Unit(code(refusal=taken)).commit()
    CodeRow(pk="code", id="third").put().alone()
    with pytest.raises(Invalid):
        Unit(code(refusal=taken)).commit()


def test_an_empty_unit_does_nothing(aws):
    Unit().commit()
    Unit([], []).commit()


def test_what_is_too_large_for_an_item_is_refused_before_anything_is_written(aws):
    with pytest.raises(Invalid):
        row(record=Thing(name="x" * 410_000, rate=Decimal(1), at=NOON)).put()


def test_each_item_under_a_customer_belongs_to_one_class_of_rows():
    kinds = {CustomerRow, BillingStateRow, SubscriptionRow, OpenNoteRow, AppliedCouponRow, WalletRow}
    assert set(_below(CustomerItem)) == kinds
    beginnings = [kind.begins for kind in kinds]
    assert not any(a != b and a.startswith(b) for a in beginnings for b in beginnings)
    assert len(set(beginnings)) == len(beginnings)


def _below(base: type[CustomerItem]) -> list[type[CustomerItem]]:
    return [one for kind in base.__subclasses__() for one in (kind, *_below(kind))]


def test_counters_of_one_item_change_once_in_a_unit(aws):
    organization_id = OrganizationId("org")
    first = counters.moved(organization_id, "things", "a", {"all": 1, "cents": 5})
    again = counters.moved(organization_id, "things", "a", {"all": 2, "cents": -5, "open": 1})
    Unit(first, counters.moved(organization_id, "others", "a", {"all": 1}), again).commit()
    totals = [counters.total(organization_id, "things", name) for name in ("all", "cents", "open")]
    assert totals == [3, 0, 1]
    assert counters.total(organization_id, "others") == 1


def test_counters_that_come_back_to_where_they_were_are_not_written(aws):
    organization_id = OrganizationId("org")
    up, down = (counters.moved(organization_id, "things", "a", {"all": change}) for change in (1, -1))
    with capacity.counting() as meter:
        Unit(up, down).commit()
    assert meter.total == 0


def test_refusals_keep_their_places_where_counters_are_joined(aws):
    organization_id = OrganizationId("org")
    moved = [counters.moved(organization_id, "things", "a", {"all": 1}) for _ in range(2)]
    row("here").create().alone()
    with pytest.raises(Invalid):
        Unit(*moved, row("here").create(TAKEN)).commit()
    assert counters.total(organization_id, "things") == 0
