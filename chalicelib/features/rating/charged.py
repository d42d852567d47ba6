"""How much the events of a period were charged: so that an event that comes late owes no more than is left.

There is a sum for each charge, filter and group of a period of a subscription, and it is raised in the transaction that makes
a fee, on condition that what was charged by then still leaves room for it (`event_usage.Owed.limit`). So two events that are
charged at once never both take what is there for one of them: the second is refused, and computed again.

A sum is of exact amounts, not of rounded cents, and cut to 15 decimals, from 10^22 on to whole units: DynamoDB's numbers have
38 digits. It is never lowered: who deletes a fee forgives what that event owed, and does not leave it to another one. Fees of
nothing do not touch it, nor does what owes the same in any order. A price that is changed begins a sum of its own, as what
was charged at the old one says nothing of it.

Items
    pk                             sk                              what it is
    <org>#charged#<subscription>   <charge>#<start>#<digest>       what events of the period that begins then were charged;
                                                                   digest: of filter, group and price

Access patterns
    1 key_of, read(items)          BatchGet   consistent, before usage is read
    2 raise_action                 part of the transaction that makes a fee, conditional on the sum
"""

import hashlib
import json
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from chalicelib.domain.money import CONTEXT
from chalicelib.features.rating.event_usage import EventFeeTarget, Owed, Period
from chalicelib.platform.ids import key
from chalicelib.platform.table import Action, Item, Key, core
from chalicelib.platform.timestamps import stamp

_PLACES, _WHOLE = Decimal("1E-15"), Decimal(1)
_LARGE = Decimal(10**22)


def key_of(period: Period, part: EventFeeTarget) -> Key:
    """Key of the sum of a period, filter and group."""
    charge = part.asked.charge
    chosen = part.filter.id if part.filter else None
    price = [charge.charge_model, charge.prorated, part.properties]
    text = json.dumps([chosen, part.bucket.group, price], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    pk = key(period.organization.id, "charged", period.subscription.id)
    return pk, f"{charge.id}#{stamp(period.starts_at)}#{digest}"


def read(place: Key, items: Mapping[Key, Item]) -> Decimal:
    """The sum under a key among items that were read, in currency units."""
    found = items.get(place)
    return Decimal(0) if found is None else Decimal(found["amount"])


def raise_actions(period: Period, part: EventFeeTarget, owed: Owed, *, charged: Decimal) -> list[Action]:
    """Enter a fee that was computed with so much charged; refused where meanwhile too much was for it to hold."""
    if not owed.amount or part.owes_the_same_in_any_order:
        return []
    place = key_of(period, part)
    together = CONTEXT.add(charged, owed.amount)
    if together >= _LARGE:  # The digits of both do not go into one number: so nobody else may add to it meanwhile.
        values = {":sum": _cut(together, _WHOLE), ":seen": charged}
        unless = "" if charged else "attribute_not_exists(amount) OR "
        return [core.update(place, "SET amount = :sum", condition=f"{unless}amount = :seen", values=values)]
    limit = min(owed.limit, _LARGE).quantize(_PLACES, rounding=ROUND_CEILING, context=CONTEXT)
    return [
        core.update(
            place,
            "ADD amount :amount",
            condition="attribute_not_exists(amount) OR amount <= :limit",
            values={":amount": _cut(owed.amount, _PLACES), ":limit": limit},
        )
    ]


def _cut(amount: Decimal, to: Decimal) -> Decimal:
    return amount.quantize(to, rounding=ROUND_FLOOR, context=CONTEXT)
