"""Where fees stand by themselves. A fee of a final invoice never changes, so that a copy of it is as good.

Items
    pk                                  sk                      what it is
    <org>#fee#<id>                      -                       a fee without invoice, or a copy of one of a final invoice
        index list:  <org>#fee                    <created_at>#<id>   those not deleted
        index owner: <org>#fee-of#<customer>      the same
    <org>#advance-fees#<subscription>   <start>#<fee id>        for which days a fee in advance was paid, and its cents

Access patterns
    1 get(org, id)                      GetItem    consistent
    2 known(org, ids)                   BatchGet   consistent: which of these were made, deleted ones too
    3 create_actions, copy_actions      part of the transaction that makes the fee (with its invoice)
    4 copy_many(org, invoice)           BatchWrite by the task that follows the issue of an invoice; twice is harmless
    5 replace_action, remove_actions    conditional on the version read
    6 paid_between(org, sub, ...)       Query      consistent
    7 paid_loose(org, customer, ...)    Query      index owner, then BatchGet: consistent
    8 lists                             Query      index list or owner
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.features.invoices.records import Fee
from chalicelib.platform import counters
from chalicelib.platform.collection import dump
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, FeeId, OrganizationId, SubscriptionId, key
from chalicelib.platform.table import core
from chalicelib.platform.timestamps import stamp, unstamp
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item

LIST = "fee"


@dataclass(frozen=True, slots=True)
class Stored:
    """A fee as it stands, with the version of its item."""

    fee: Fee
    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class PaidDays:
    """What a fee in advance paid for: half-open, and its cents."""

    start: datetime
    end: datetime
    cents: int


def get(organization_id: OrganizationId, fee_id: FeeId) -> Stored | None:
    """The fee under an id, deleted or not."""
    item = core.get(*fee_key(organization_id, fee_id))
    return None if item is None else _stored(item)


def known(organization_id: OrganizationId, ids: Sequence[str]) -> set[str]:
    """Which of these fees were made, also if they were deleted since."""
    return {item["record"]["id"] for item in core.get_many([fee_key(organization_id, FeeId(i)) for i in ids]).values()}


def create_actions(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    """Store new fees in advance without invoice; refused where one of them stands already, or stood."""
    created = [core.create(_item(organization_id, fee)) for fee in fees]
    return [*created, *_paid_actions(organization_id, fees), *_counted(organization_id, fees)]


def copy_actions(organization_id: OrganizationId, fee: Fee) -> list[Write]:
    """Enter the fee in advance of an invoice, in the transaction that makes both."""
    copy = core.put(_item(organization_id, fee))
    return [copy, *_paid_actions(organization_id, [fee]), *_counted(organization_id, [fee])]


def copy_many(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    """Enter an invoice's fees into the lists, and return the action that counts them there."""
    core.write_many([_item(organization_id, fee) for fee in fees])
    return _counted(organization_id, fees)


def paid_loose(
    organization_id: OrganizationId,
    customer_id: CustomerId,
    subscription_id: SubscriptionId,
    charge_ids: Collection[str],
) -> list[Stored]:
    """The fees without invoice of these charges that were paid, the oldest first. Found by an index, which may lag, and
    then read consistently."""
    where = "#record.#subscription_id = :subscription AND #record.#payment_status = :paid"
    names = {f"#{name}": name for name in ("record", "subscription_id", "payment_status")}
    values = {":subscription": subscription_id, ":paid": "succeeded"}
    found = core.query(owner_pk(organization_id, customer_id), index="owner", where=where, names=names, values=values)
    keys = [fee_key(organization_id, read(item).id) for item in found]
    current = [_stored(item) for item in core.get_many(keys).values()]
    open_ones = [
        s for s in current if s.fee.invoice_id is None and s.fee.payment_status == "succeeded" and not s.deleted
    ]
    chosen = [s for s in open_ones if s.fee.charge_id in charge_ids]
    return sorted(chosen, key=lambda s: (s.fee.created_at, s.fee.id))


def replace_action(organization_id: OrganizationId, old: Stored, new: Fee) -> Write:
    """Write `new` over the fee as it was read; refused if somebody else wrote in between."""
    item = _item(organization_id, new, version=old.version + 1)
    return core.put(item, condition="version = :version", values={":version": old.version})


def remove_actions(organization_id: OrganizationId, old: Stored) -> list[Write]:
    """Take a fee out of reads and lists; what is left of it keeps it from being made again."""
    item = _item(organization_id, old.fee, version=old.version + 1, deleted=True)
    return [
        core.put(item, condition="version = :version", values={":version": old.version}),
        core.delete(_paid_key(organization_id, old.fee)),
        *counters.moved(organization_id, LIST, old.fee.id, {"all": -1}),
    ]


def paid_between(
    organization_id: OrganizationId, subscription_id: SubscriptionId, low: datetime, high: datetime
) -> Iterator[PaidDays]:
    """What a subscription paid in advance for ranges that begin between two instants, both included."""
    pk = key(organization_id, "advance-fees", subscription_id)
    for item in core.query(pk, between=(stamp(low), f"{stamp(high)}$")):
        yield PaidDays(unstamp(item["sk"].split("#")[0]), unstamp(item["end"]), item["cents"])


def read(item: Item) -> Fee:
    """The fee in an item."""
    return Fee.model_validate(item["record"])


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """Under which key of the index owner a customer's fees stand."""
    return key(organization_id, "fee-of", customer_id)


def fee_key(organization_id: OrganizationId, fee_id: FeeId) -> Key:
    """Where a fee stands."""
    return key(organization_id, "fee", fee_id), "-"


def _stored(item: Item) -> Stored:
    return Stored(read(item), item["version"], item["deleted"])


def _counted(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    # All of one transaction in one row of the counter, which no transaction may touch twice.
    return counters.moved(organization_id, LIST, fees[0].id, {"all": len(fees)}) if fees else []


def _paid_actions(organization_id: OrganizationId, fees: Iterable[Fee]) -> list[Write]:
    actions = []
    for fee in fees:
        pk, sk = _paid_key(organization_id, fee)
        actions.append(core.put({"pk": pk, "sk": sk, "end": stamp(fee.end), "cents": fee.amount_cents}))
    return actions


def _paid_key(organization_id: OrganizationId, fee: Fee) -> Key:
    assert fee.subscription_id is not None, "a fee in advance is a subscription's"
    return key(organization_id, "advance-fees", fee.subscription_id), f"{stamp(fee.start)}#{fee.id}"


def _item(organization_id: OrganizationId, fee: Fee, *, version: int = 0, deleted: bool = False) -> Item:
    pk, sk = fee_key(organization_id, fee.id)
    item: dict[str, Any] = {"pk": pk, "sk": sk, "version": version, "record": dump(fee), "deleted": deleted}
    for name in ("created_at", "succeeded_at", "failed_at", "refunded_at"):
        at = getattr(fee, name)
        if at is not None:
            item[name] = stamp(at)
    if not deleted:
        item["list_pk"] = key(organization_id, LIST)
        item["owner_pk"] = owner_pk(organization_id, fee.customer_id)
        item["list_sk"] = item["owner_sk"] = f"{stamp(fee.created_at)}#{fee.id}"
    return item
