"""Sums charged for the events of a period, so that an event that comes late owes no more than is left.

Each charge, filter and group of a subscription's period has a sum. The transaction that makes a fee raises it, on
condition that the sum still leaves room for the fee (`event_usage.Owed.limit`). So two events charged at once never
both take the room of one: the second is refused, and computed again.

A sum is of exact amounts, not of rounded cents. It is cut to 15 decimals, from 10^22 on to whole units, as DynamoDB's
numbers have 38 digits. It is never lowered: deleting a fee forgives the amount and leaves it to no other event. Fees of
0 do not touch it, nor do charges that owe the same in any order. A changed price begins a sum of its own, as amounts
charged at the old price say nothing about it.

Items
    pk                             sk                              what it is
    <org>#charged#<subscription>   <charge>#<start>#<digest>       sum charged for events of the period that begins then;
                                                                   digest: of filter, group and price

Access patterns
    1 key_of(...), read(...)       BatchGet   consistent, before usage is read, with the reader's other keys
    2 raise_actions(...)           Update     conditional on the sum; part of the transaction that makes a fee
"""

import hashlib
import json
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from chalicelib.domain.money import CONTEXT
from chalicelib.features.rating.event_usage import EventFeeTarget, Owed
from chalicelib.features.rating.usage_period import Period
from chalicelib.platform import rows
from chalicelib.platform.attributes import DecimalAttribute
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import key
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

_PLACES, _WHOLE = Decimal("1E-15"), Decimal(1)
_LARGE = Decimal(10**22)


class ChargedRow(Row):
    """A sum, in currency units."""

    amount = DecimalAttribute()


def key_of(period: Period, target: EventFeeTarget) -> Key:
    """Key of the sum of a period, filter and group."""
    charge = target.asked.charge
    chosen = target.filter.id if target.filter else None
    price = [charge.charge_model, charge.prorated, target.properties]
    text = json.dumps([chosen, target.bucket.group, price], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    pk = key(period.organization.id, "charged", period.subscription.id)
    return pk, f"{charge.id}#{stamp(period.starts_at)}#{digest}"


def read(places: Sequence[Key], beside: Sequence[Key] = ()) -> tuple[list[Decimal], set[Key]]:
    """The sums under these keys, in currency units, and which of the keys `beside` hold an item: in one request."""
    found = rows.find_together({**dict.fromkeys(beside, Row), **dict.fromkeys(places, ChargedRow)})
    sums = [row.amount if isinstance(row := found.get(place), ChargedRow) else Decimal(0) for place in places]
    return sums, found.keys() & set(beside)


def raise_actions(period: Period, target: EventFeeTarget, owed: Owed, *, charged: Decimal) -> list[Write]:
    """Enter a fee that was computed with so much charged; refused where meanwhile too much was for it to hold."""
    if not owed.amount or target.owes_the_same_in_any_order:
        return []
    place = key_of(period, target)
    together = CONTEXT.add(charged, owed.amount)
    if together >= _LARGE:  # The digits of both do not go into one number: so nobody else may add to it meanwhile.
        seen = ChargedRow.amount == charged
        unraised = seen if charged else ChargedRow.amount.does_not_exist() | seen
        return [ChargedRow.change(place, ChargedRow.amount.set(_cut(together, _WHOLE)), condition=unraised)]
    limit = min(owed.limit, _LARGE).quantize(_PLACES, rounding=ROUND_CEILING, context=CONTEXT)
    room = ChargedRow.amount.does_not_exist() | (ChargedRow.amount <= limit)
    return [ChargedRow.change(place, ChargedRow.amount.add(_cut(owed.amount, _PLACES)), condition=room)]


def _cut(amount: Decimal, to: Decimal) -> Decimal:
    return amount.quantize(to, rounding=ROUND_FLOOR, context=CONTEXT)
