"""A list in several parts is one list: whatever stands in which part, pages have all of it, in order, once."""

from collections.abc import Sequence
from unittest import mock

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from chalicelib.features.invoices import figures, listings
from chalicelib.platform import listing, rows
from chalicelib.platform.ids import OrganizationId, new_id
from chalicelib.platform.rows import Listed
from tests.support.examples import examples


class ThingRow(Listed):
    """Something that is listed."""


@pytest.mark.usefixtures("aws")
@hypothesis(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(0, 10_000), unique=True, max_size=40),
    parts=st.integers(1, 4),
    size=st.integers(1, 7),
    descending=st.booleans(),
    jump=st.integers(1, 6),
)
def test_pages_of_parts_are_those_of_the_whole_list(ids, parts, size, descending, jump):
    organization = OrganizationId(new_id())  # Each example has a list of its own.
    pk = f"{organization}#thing"
    rows.put_many([_thing(pk, f"{each:05d}", parts) for each in ids])
    whole = listing.Listing(organization, ThingRow, pk, parts, descending=descending)
    expected = sorted((f"{each:05d}" for each in ids), reverse=descending)
    found: list[str] = []
    for number in range(1, -(-len(ids) // size) + 1):
        page, meta = listing.read(whole, listing.Wanted(number, size))
        assert meta["total_count"] == len(ids)
        found += [row.list_sk for row in page]
    assert found == expected
    jumped, _ = listing.read(whole, listing.Wanted(jump, size + 1))
    assert [row.list_sk for row in jumped] == expected[(jump - 1) * (size + 1) :][: size + 1]
    assert [row.list_sk for row in listing.merged(ThingRow, pk, parts, index="list")] == sorted(expected)


def _thing(pk: str, name: str, parts: int) -> ThingRow:
    return ThingRow(pk=f"{pk}#{name}", sk="-", list_pk=listing.part_of(pk, name, parts), list_sk=name)


def test_the_first_part_is_where_earlier_versions_wrote(story):
    assert listing.parts_of("o#invoice", 2) == ["o#invoice", "o#invoice#1"]
    assert {listing.part_of("o#invoice", str(n), 2) for n in range(50)} == set(listing.parts_of("o#invoice", 2))
    story.plan(amount_cents=100, pay_in_advance=True)
    old, new = ["one", "two", "three"], ["four", "five", "six", "seven"]
    with mock.patch.object(listing, "part_of", lambda pk, record_id, parts: pk):
        _subscribed(story, old)
    _subscribed(story, new)
    assert figures.LIST_PARTS == 2
    assert listings.LIST_PARTS == 2
    shown = story.ok("GET", "/invoices?per_page=3")
    assert shown["meta"]["total_count"] == 7
    found = [each for page in (1, 2, 3) for each in story.ok("GET", f"/invoices?per_page=3&page={page}")["invoices"]]
    assert len({each["lago_id"] for each in found}) == 7
    assert {each["customer"]["external_id"] for each in found} == {*old, *new}


def _subscribed(story, names: Sequence[str]) -> None:
    for name in names:
        story.customer(name)
        story.subscribe("plan", f"s-{name}", name)
