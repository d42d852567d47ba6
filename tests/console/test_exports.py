"""Lists as files: the API's rows and figures, cells that are no formulas, and long ones as works."""

import csv
import io

import pytest

from chalicelib import limits
from chalicelib.features.exports import columns, service
from chalicelib.platform import files
from tests.support import console_world
from tests.support import story as queues
from tests.support.console import Visitor, member_of
from tests.support.story import Story

LISTS = sorted(columns.EXPORTS)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def full(story: Story) -> Visitor:
    """A member of an organization that has something in every list."""
    console_world.full(story)
    return member_of(story)


@pytest.mark.parametrize("name", LISTS)
def test_a_short_list_is_a_file_at_once(full: Visitor, name: str):
    dialog = full.get("export", name)
    assert (dialog.status, "Download CSV" in dialog.words) == (200, True)
    shown = full.get("export", name, "file")
    assert shown.status == 200
    assert shown.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="{name}.csv"' in shown.headers["Content-Disposition"]
    found, of_api = rows_of(shown.text), full.story.ok("GET", f"/{name}")[name]
    assert [each["lago_id"] for each in found] == [each["lago_id"] for each in of_api]
    assert list(found[0]) == service.columns(name)


def test_amounts_are_decimals_of_the_api_beside_their_currency(full: Visitor):
    (row,), (invoice,) = rows_of(full.get("export", "invoices", "file").text), full.story.invoices()
    assert row["currency"] == "EUR"
    for name in ("total_amount", "taxes_amount", "fees_amount", "total_due_amount"):
        assert row[name] == f"{invoice[f'{name}_cents'] // 100}.{invoice[f'{name}_cents'] % 100:02}"
    assert row["created_at"] == invoice["created_at"]
    assert row["created_at"].endswith("Z")
    assert (columns.amount(-1250, "EUR"), columns.amount(1250, "JPY"), columns.amount(1250, "KWD")) == (
        "-12.50",
        "1250",
        "1.250",
    )


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(name: str):
    assert columns.plain(name) == f"'{name}"
    (row,) = rows_of(service.head("customers") + service.lines(columns.EXPORTS["customers"], [{"name": name}]))
    assert row["name"] == f"'{name}"


def test_a_name_stays_whole_in_its_cell(visitor: Visitor):
    name = 'Zoë, "the" Ω\nsecond line'
    visitor.story.customer("ada", name=name)
    visitor.story.customer("=cmd", name="Eve")
    found = {row["name"]: row for row in rows_of(visitor.get("export", "customers", "file").text)}
    assert set(found) == {name, "Eve"}
    assert found["Eve"]["external_id"] == "'=cmd"


def test_filters_of_the_list_hold_in_the_file(visitor: Visitor):
    visitor.story.customer("ada", currency="EUR")
    visitor.story.customer("bob", currency="USD")
    shown = visitor.get("export", "customers", "file", currencies="USD")
    assert [row["external_id"] for row in rows_of(shown.text)] == ["bob"]
    visitor.headers |= {
        "HX-Request": "true",
        "HX-Target": "#dialog",
        "HX-Current-URL": f"http://127.0.0.1:8000{visitor.address('customers', currencies='USD')}",
    }
    assert "currencies=USD" in visitor.get("export", "customers").text
    assert visitor.get("export", "invoices", payment_statuses="odd").status == 422


def test_a_long_list_is_a_work_with_a_link_to_its_file(visitor: Visitor, monkeypatch):
    for n in range(5):
        visitor.story.customer(f"c{n}", currency="EUR" if n else "USD")
    monkeypatch.setattr(limits, "EXPORT_AT_ONCE", 3)
    monkeypatch.setattr(service, "_AT_ONCE", 2)
    monkeypatch.setattr("chalicelib.tasks.works.RUN_SECONDS", -1)  # Each page is a slice.
    assert visitor.get("export", "customers", "file").status == 422
    dialog = visitor.get("export", "customers", currencies="EUR")
    assert ("4 customers" in dialog.words, "Download CSV" in dialog.words) == (True, False)
    form = dialog.fields
    began = visitor.post("export", "customers", form=form)
    assert visitor.post("export", "customers", form=form).location == began.location
    queues.work()
    ended = visitor.at(began.location)
    assert ("4 of 4 done" in ended.words, "Download CSV" in ended.words) == (True, True)
    link = visitor.at(f"{began.location}/file")
    assert (link.status, "exports/" in link.location, "attachment" in link.location) == (303, True, True)
    name = service.file_name(visitor.story.ref.id, began.location.rpartition("/")[2])
    assert sorted(row["external_id"] for row in rows_of(files.get(name).decode())) == ["c1", "c2", "c3", "c4"]
    assert visitor.get("export", "members").status == 404


def test_more_rows_than_one_file_holds_are_refused(visitor: Visitor, monkeypatch):
    monkeypatch.setattr(limits, "EXPORT_ROWS_MAX", 1)
    monkeypatch.setattr(limits, "EXPORT_AT_ONCE", 0)
    for n in range(2):
        visitor.story.customer(f"c{n}")
    assert visitor.post("export", "customers", form={}).status == 422
