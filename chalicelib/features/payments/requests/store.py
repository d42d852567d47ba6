"""Storage of payment requests.

Items
    pk                               sk    what it is
    <org>#payment_request#<id>       -     the payment request
        index list:  <org>#payment_request                 <created_at>#<id>
        index owner: <org>#payment_request-of#<customer>   the same

Access patterns
    1 get(org, id)             GetItem    consistent
    2 create(...)              part of the transaction that begins its payment, with the total
    3 replace(...)             part of the transaction of what became of its payment
    4 reading.page(call)       Query      index list or owner
"""

from chalicelib.features.payments.requests.records import PaymentRequest
from chalicelib.platform import counters
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, PaymentRequestId, key
from chalicelib.platform.rows import Listed, Owned
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

LIST = "payment_request"


class PaymentRequestRow(RecordRow, Listed, Owned):
    """A payment request."""

    record = RecordAttribute(PaymentRequest)


def get(organization_id: OrganizationId, request_id: PaymentRequestId) -> PaymentRequest | None:
    """The payment request under an id."""
    found = PaymentRequestRow.find(*_place(organization_id, request_id))
    return None if found is None else found.value


def create(organization_id: OrganizationId, request: PaymentRequest) -> list[Write]:
    """Store a new payment request."""
    return [_row(organization_id, request).create(), *counters.moved(organization_id, LIST, request.id, {"all": 1})]


def replace(organization_id: OrganizationId, old: PaymentRequest, new: PaymentRequest) -> Write:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    return _row(organization_id, new).replace(old.version)


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's requests stand."""
    return key(organization_id, f"{LIST}-of", customer_id)


def _row(organization_id: OrganizationId, request: PaymentRequest) -> PaymentRequestRow:
    pk, sk = _place(organization_id, request.id)
    made = PaymentRequestRow(pk=pk, sk=sk, version=request.version, record=request)
    made.list_pk, made.owner_pk = key(organization_id, LIST), owner_pk(organization_id, request.customer_id)
    made.list_sk = made.owner_sk = f"{stamp(request.created_at)}#{request.id}"
    return made


def _place(organization_id: OrganizationId, request_id: PaymentRequestId) -> Key:
    return key(organization_id, LIST, request_id), "-"
