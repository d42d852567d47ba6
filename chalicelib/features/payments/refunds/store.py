"""Storage of refunds.

Items
    pk                          sk            what it is
    <org>#refund-of#<note>      <payment>     what a credit note gives back of a payment

Access patterns
    1 of_note(org, note)        Query     consistent: all of a credit note, few
    2 create(...)               part of the transaction that decides what is given back of which payments
    3 replace(...)              part of the transaction of what became of it
"""

from chalicelib.features.payments.refunds.records import Refund
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.ids import CreditNoteId, OrganizationId, key
from chalicelib.platform.unit import Write


class RefundRow(RecordRow):
    """A refund."""

    record = RecordAttribute(Refund)


def of_note(organization_id: OrganizationId, note_id: CreditNoteId) -> list[Refund]:
    """All refunds of a credit note."""
    return [row.value for row in RefundRow.select(_pk(organization_id, note_id))]


def create(organization_id: OrganizationId, refund: Refund) -> Write:
    """Store a new refund."""
    return _row(organization_id, refund).create()


def replace(organization_id: OrganizationId, old: Refund, new: Refund) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _row(organization_id, new).replace(old.version)


def _row(organization_id: OrganizationId, refund: Refund) -> RefundRow:
    pk = _pk(organization_id, refund.note_id)
    return RefundRow(pk=pk, sk=refund.payment_id, version=refund.version, record=refund)


def _pk(organization_id: OrganizationId, note_id: CreditNoteId) -> str:
    return key(organization_id, "refund-of", note_id)
