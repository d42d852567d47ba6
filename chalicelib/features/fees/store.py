"""Storage of standalone fees, and of copies of the fees of final invoices, which never change.

Items
    pk                                  sk                      what it is
    <org>#fee#<id>                      -                       a standalone fee, or a copy of one of a final invoice
        index list:  <org>#fee                    <created_at>#<id>   those not deleted
        index owner: <org>#fee-of#<customer>      the same
    <org>#advance-fees#<subscription>   <start>#<fee id>        the days that a fee in advance paid for, and its cents

Access patterns
    1 get(org, id)                      GetItem    consistent
    2 known(org, ids)                   BatchGet   consistent: which of these were made, deleted ones too
    3 create_actions, copy_actions      part of the transaction that makes the fee (with its invoice)
    4 copy_many(org, invoice)           BatchWrite by the task that follows the issue of an invoice; idempotent
    5 replace_action, remove_actions    conditional on the version read
    6 paid_between(org, sub, ...)       Query      consistent
    7 paid_standalone(org, customer, ...)    Query      index owner, then BatchGet: consistent
    8 listings.page(call)               Query      index list or owner
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from chalicelib.features.fees.records import PaidDays, Stored
from chalicelib.features.invoices.records import Fee
from chalicelib.platform import counters, rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, FeeId, OrganizationId, SubscriptionId, key
from chalicelib.platform.rows import Listed, Owned, Row, Versioned
from chalicelib.platform.timestamps import stamp, unstamp
from chalicelib.platform.unit import Write

LIST = "fee"


class FeeRow(Versioned, Listed, Owned):
    """A fee that stands by itself. The instants of its payment are attributes too, as lists are filtered by them."""

    record = RecordAttribute(Fee)
    deleted = BooleanAttribute()
    created_at = InstantAttribute(null=True)
    succeeded_at = InstantAttribute(null=True)
    failed_at = InstantAttribute(null=True)
    refunded_at = InstantAttribute(null=True)

    @property
    def value(self) -> Stored:
        """The fee with its version."""
        return Stored(self.record, self.version, self.deleted)


class PaidDaysRow(Row):
    """The days that a fee in advance paid for. `end`: their end, as a stamp."""

    end = UnicodeAttribute()
    cents = WholeAttribute()


def get(organization_id: OrganizationId, fee_id: FeeId) -> Stored | None:
    """The fee under an id, deleted or not."""
    found = FeeRow.find(*fee_key(organization_id, fee_id))
    return None if found is None else found.value


def known(organization_id: OrganizationId, ids: Sequence[str]) -> set[str]:
    """Ids of those fees that were made, also if they were deleted since."""
    found = FeeRow.find_many([fee_key(organization_id, FeeId(each)) for each in ids])
    return {row.record.id for row in found.values()}


def create_actions(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    """Store new fees in advance without invoice; refused where one of them stands already, or stood."""
    created = [_row(organization_id, fee).create() for fee in fees]
    return [*created, *_paid_actions(organization_id, fees), *_counted(organization_id, fees)]


def copy_actions(organization_id: OrganizationId, fee: Fee) -> list[Write]:
    """Enter the fee in advance of an invoice, in the transaction that makes both."""
    copy = _row(organization_id, fee).put()
    return [copy, *_paid_actions(organization_id, [fee]), *_counted(organization_id, [fee])]


def copy_many(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    """Enter an invoice's fees into the lists, and return the action that counts them there."""
    rows.put_many([_row(organization_id, fee) for fee in fees])
    return _counted(organization_id, fees)


def paid_standalone(
    organization_id: OrganizationId,
    customer_id: CustomerId,
    subscription_id: SubscriptionId,
    charge_ids: Collection[str],
) -> list[Stored]:
    """The fees without invoice of these charges that were paid, the oldest first. Found by an index, which may lag, and
    then read consistently."""
    where = (rows.field("subscription_id") == subscription_id) & (rows.field("payment_status") == "succeeded")
    found = FeeRow.select(owner_pk(organization_id, customer_id), index="owner", where=where)
    keys = [fee_key(organization_id, row.record.id) for row in found]
    current = [row.value for row in FeeRow.find_many(keys).values()]
    open_ones = [
        s for s in current if s.fee.invoice_id is None and s.fee.payment_status == "succeeded" and not s.deleted
    ]
    chosen = [s for s in open_ones if s.fee.charge_id in charge_ids]
    return sorted(chosen, key=lambda s: (s.fee.created_at, s.fee.id))


def replace_action(organization_id: OrganizationId, old: Stored, new: Fee) -> Write:
    """Replace the fee, under its optimistic lock."""
    return _row(organization_id, new, version=old.version).replace(old.version)


def remove_actions(organization_id: OrganizationId, old: Stored) -> list[Write]:
    """Remove a fee from reads and lists. The item stays, so that the fee is not made again."""
    return [
        _row(organization_id, old.fee, version=old.version, deleted=True).replace(old.version),
        PaidDaysRow.remove_key(_paid_key(organization_id, old.fee)),
        *counters.moved(organization_id, LIST, old.fee.id, {"all": -1}),
    ]


def paid_between(
    organization_id: OrganizationId, subscription_id: SubscriptionId, low: datetime, high: datetime
) -> Iterator[PaidDays]:
    """Ranges that a subscription paid for in advance and that begin between two instants, both included."""
    pk = key(organization_id, "advance-fees", subscription_id)
    within = PaidDaysRow.sk.between(stamp(low), f"{stamp(high)}$")
    for row in PaidDaysRow.select(pk, within=within):
        yield PaidDays(unstamp(row.sk.split("#")[0]), unstamp(row.end), row.cents)


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's fees stand."""
    return key(organization_id, "fee-of", customer_id)


def fee_key(organization_id: OrganizationId, fee_id: FeeId) -> Key:
    """The key of a fee."""
    return key(organization_id, "fee", fee_id), "-"


def _counted(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    # All of one transaction in one row of the counter, which no transaction may touch twice.
    return counters.moved(organization_id, LIST, fees[0].id, {"all": len(fees)}) if fees else []


def _paid_actions(organization_id: OrganizationId, fees: Iterable[Fee]) -> list[Write]:
    writes = []
    for fee in fees:
        pk, sk = _paid_key(organization_id, fee)
        writes.append(PaidDaysRow(pk=pk, sk=sk, end=stamp(fee.end), cents=fee.amount_cents).put())
    return writes


def _paid_key(organization_id: OrganizationId, fee: Fee) -> Key:
    assert fee.subscription_id is not None, "a fee in advance is a subscription's"
    return key(organization_id, "advance-fees", fee.subscription_id), f"{stamp(fee.start)}#{fee.id}"


def _row(organization_id: OrganizationId, fee: Fee, *, version: int = 0, deleted: bool = False) -> FeeRow:
    pk, sk = fee_key(organization_id, fee.id)
    row = FeeRow(
        pk=pk,
        sk=sk,
        version=version,
        record=fee,
        deleted=deleted,
        created_at=fee.created_at,
        succeeded_at=fee.succeeded_at,
        failed_at=fee.failed_at,
        refunded_at=fee.refunded_at,
    )
    if not deleted:
        row.list_pk = key(organization_id, LIST)
        row.owner_pk = owner_pk(organization_id, fee.customer_id)
        row.list_sk = row.owner_sk = f"{stamp(fee.created_at)}#{fee.id}"
    return row
