"""Credit notes made through service and store, as billing makes them."""

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

from chalicelib.features.credit_notes import store, values
from chalicelib.features.credit_notes.records import CreditNote, OpenNote
from chalicelib.features.customers import store as customers
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.invoices import store as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.platform.unit import Unit
from tests.support.story import Story

NOW = datetime(2024, 1, 11, 9, tzinfo=UTC)
_ids = itertools.count(1)


def billed(story: Story) -> Story:
    """31.00 and 20 % tax, paid in advance for January."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    story.plan(amount_cents=3100, pay_in_advance=True)
    story.customer(name="Ada Lovelace", email="ada@example.com", currency="EUR")
    story.subscribe()
    return story


def an_invoice(story: Story, index: int = 0) -> Invoice:
    found = invoices.get(story.ref.id, story.invoices()[index]["lago_id"])
    assert found is not None
    return found


def a_note(
    story: Story,
    item: str = "2000",
    *,
    mode: str = "credit",
    used: int = 0,
    now: datetime = NOW,
    of: int = 0,
    **invoice: object,
) -> CreditNote:
    """A note on the customer's invoice, not yet written."""
    source = an_invoice(story, of)
    organization_id = story.ref.id
    customer = CUSTOMERS.get(organization_id, source.customer_id)
    assert customer is not None
    return values.draft_or_final(
        source.model_copy(update=invoice),
        invoices.fees_of(organization_id, source)[0],
        Decimal(item),
        mode=mode,
        used_cents=used,
        note_id=f"00000000-0000-4000-8000-{next(_ids):012d}",
        customer_search=CUSTOMERS.search(customer),
        today=date(2024, 1, 11),
        now=now,
    )


def stored(story: Story, *args: str, **how: object) -> CreditNote:
    note = a_note(story, *args, **how)  # type: ignore[arg-type]
    Unit(store.create_actions(story.ref.id, note)).commit()
    return note


def changed(story: Story, old: CreditNote, new: CreditNote) -> CreditNote:
    Unit(store.replace_actions(story.ref.id, old, new)).commit()
    return new.model_copy(update={"version": old.version + 1})


def open_notes(story: Story, note: CreditNote) -> list[OpenNote]:
    return store.open_of(customers.everything_of(story.ref.id, note.customer_id))


def listed(story: Story, query: str = "", path: str = "/credit_notes") -> list[str]:
    body = story.ok("GET", f"{path}?{query}")
    assert body["meta"]["total_count"] == len(body["credit_notes"])
    return [note["lago_id"] for note in body["credit_notes"]]
