"""The list of credit notes and its filters. Source: rules/invoices 7.3."""

from datetime import date, timedelta
from typing import get_args

from chalicelib.features.credit_notes import store
from chalicelib.features.credit_notes.records import (
    CreditNote,
    CreditStatus,
    Reason,
    RefundStatus,
)
from chalicelib.features.credit_notes.store import CreditNoteRow
from chalicelib.features.customers import owned_lists
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, key

# Behind it there is no day to add.
_LATEST = date(9990, 1, 1)
_CHOICES = {
    "reason": get_args(Reason),
    "credit_status": get_args(CreditStatus),
    "refund_status": get_args(RefundStatus),
}


def page(call: Call, customer_id: CustomerId | None = None) -> tuple[list[CreditNote], dict[str, int | None]]:
    """One page of the final notes, newest first.

    Raises: Invalid, for values outside the enumerations.
    """
    organization_id = call.organization.id
    chosen = _filters(call)
    if _of_another_entity(call):
        return [], listing.meta(listing.wanted(call), 0)
    owner_id = customer_id or owned_lists.owner_of(call, "external_customer_id")
    pk, between = key(organization_id, store.LIST), _created(call)
    whole = listing.Listing(organization_id, CreditNoteRow, pk, between=between, where=chosen.conditions)
    found, meta = owned_lists.page(call, whole, owner_id, store.owner_pk, counted=store.LIST)
    return [row.value for row in found], meta


def _filters(call: Call) -> listing.Filter:
    chosen = listing.Filter()
    for name, known in _CHOICES.items():
        wanted = parameters.words(call, [name], known)
        if wanted:
            chosen.one_of(name, wanted)
    for name, text in (("currency", parameters.currency(call)), ("invoice_number", call.one("invoice_number"))):
        if text is not None:
            chosen.one_of(name, [text])
    for parameter, name, compare, read in (
        ("issuing_date_from", "issuing_date", chosen.least, parameters.day),
        ("issuing_date_to", "issuing_date", chosen.most, parameters.day),
        ("amount_from", "total_amount_cents", chosen.least, parameters.cents),
        ("amount_to", "total_amount_cents", chosen.most, parameters.cents),
    ):
        bound = read(call, parameter)
        if bound is not None:
            compare(name, bound)
    chosen.words(call.one("search_term"))
    return chosen


def _created(call: Call) -> tuple[str, str] | None:
    """The range of places in the list, which begin with the instant of creation: no note is created after its issuing
    date, by whatever time zone; one made for a draft may be long before it."""
    day = parameters.day(call, "issuing_date_to")
    last = None if day is None else date.fromisoformat(day)
    return None if last is None or last > _LATEST else ("0", f"{(last + timedelta(days=2)).isoformat()}$")


def _of_another_entity(call: Call) -> bool:
    """Whether the filters match no note: all notes are of the one default entity, and none is self-billed."""
    self_billed = parameters.switch(call, "self_billed")
    entities = call.many("billing_entity_codes")
    return self_billed is True or (bool(entities) and "default" not in entities)
