"""Storage of payments and receipts.

Items
    pk                               sk    what it is
    <org>#payment#<id>               -     the payment
        index list:  <org>#payment                         <created_at>#<id>
        index owner: <org>#payment-of#<customer>           the same
    <org>#payment_receipt#<id>       -     the receipt of a payment
        index list:  <org>#payment_receipt                 <created_at>#<id>
        index owner: <org>#payment_receipt-of#<customer>   the same

Access patterns
    1 get(org, id)                   GetItem    consistent
    2 get_many(org, ids)             BatchGet   consistent
    3 get_receipt(org, id)           GetItem    consistent
    4 create(...)                    part of the transaction that begins or records a payment, with totals
    5 replace(...)                   part of the transaction of what became of it
    6 create_receipt(...)            part of the transaction that raises the invoice's paid amount, with totals
    7 replace_receipt(...)           part of the transaction that names its document
    8 listings.payments, listings.receipts    Query   index list or owner
"""

from collections.abc import Iterable

from chalicelib.features.payments.records import Payment, PaymentReceipt
from chalicelib.platform import counters
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import Record, RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, PaymentId, PaymentReceiptId, key
from chalicelib.platform.rows import Listed, Owned
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

PAYMENTS, RECEIPTS = "payment", "payment_receipt"


class PaymentRow(RecordRow, Listed, Owned):
    """A payment."""

    record = RecordAttribute(Payment)


class PaymentReceiptRow(RecordRow, Listed, Owned):
    """A receipt."""

    record = RecordAttribute(PaymentReceipt)


def get(organization_id: OrganizationId, payment_id: PaymentId) -> Payment | None:
    """The payment under an id."""
    found = PaymentRow.find(*_place(organization_id, PAYMENTS, payment_id))
    return None if found is None else found.value


def get_many(organization_id: OrganizationId, ids: Iterable[PaymentId]) -> dict[PaymentId, Payment]:
    """The payments under these ids."""
    found = PaymentRow.find_many([_place(organization_id, PAYMENTS, each) for each in dict.fromkeys(ids)])
    return {row.record.id: row.value for row in found.values()}


def get_receipt(organization_id: OrganizationId, receipt_id: PaymentReceiptId) -> PaymentReceipt | None:
    """The receipt under an id."""
    found = PaymentReceiptRow.find(*_place(organization_id, RECEIPTS, receipt_id))
    return None if found is None else found.value


def create(organization_id: OrganizationId, payment: Payment) -> list[Write]:
    """Store a new payment."""
    return [
        _entered(PaymentRow, organization_id, PAYMENTS, payment, payment.customer_id).create(),
        *counters.moved(organization_id, PAYMENTS, payment.id, {"all": 1}),
    ]


def replace(organization_id: OrganizationId, old: Payment, new: Payment) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _entered(PaymentRow, organization_id, PAYMENTS, new, new.customer_id).replace(old.version)


def create_receipt(organization_id: OrganizationId, receipt: PaymentReceipt) -> list[Write]:
    """Store a new receipt."""
    return [
        _entered(PaymentReceiptRow, organization_id, RECEIPTS, receipt, receipt.customer_id).create(),
        *counters.moved(organization_id, RECEIPTS, receipt.id, {"all": 1}),
    ]


def replace_receipt(organization_id: OrganizationId, old: PaymentReceipt, new: PaymentReceipt) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _entered(PaymentReceiptRow, organization_id, RECEIPTS, new, new.customer_id).replace(old.version)


def owner_pk(organization_id: OrganizationId, name: str, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's payments or receipts stand."""
    return key(organization_id, f"{name}-of", customer_id)


def _entered(
    row: type[PaymentRow] | type[PaymentReceiptRow],
    organization_id: OrganizationId,
    name: str,
    record: Record,
    customer_id: CustomerId,
) -> PaymentRow | PaymentReceiptRow:
    pk, sk = _place(organization_id, name, record.id)
    made = row(pk=pk, sk=sk, version=record.version, record=record)
    made.list_pk, made.owner_pk = key(organization_id, name), owner_pk(organization_id, name, customer_id)
    made.list_sk = made.owner_sk = f"{stamp(record.created_at)}#{record.id}"
    return made


def _place(organization_id: OrganizationId, name: str, record_id: str) -> Key:
    return key(organization_id, name, record_id), "-"
