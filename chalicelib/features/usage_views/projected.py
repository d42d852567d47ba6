"""Projected usage: current usage, and beside each number what it comes to by the period's end. Source: rules/usage 9."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import money, periods
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage
from chalicelib.domain.money import CONTEXT, decimal_string
from chalicelib.domain.projection import Elapsed
from chalicelib.features.customers.records import Customer
from chalicelib.features.rating.buckets import parsed
from chalicelib.features.rating.metered import Used
from chalicelib.features.usage_views import current as usage
from chalicelib.features.usage_views import shape as usage_shape
from chalicelib.features.usage_views.current import OpenUsage
from chalicelib.features.usage_views.shape import PricedUsage, UsagePresentation
from chalicelib.platform.clock import OrganizationRef


def projected(
    organization: OrganizationRef,
    customer: Customer,
    external_subscription_id: str,
    *,
    apply_taxes: bool,
    now: datetime,
) -> dict[str, Any]:
    """`customer_projected_usage` of the period containing `now`.

    Raises: NotAllowed, `no_active_subscription`.
    """
    usage_now = usage.open_usage(organization, customer, external_subscription_id, usage.EVERYTHING, now=now)
    today = periods.local_date(now, usage_now.context.zone)
    elapsed = Elapsed.on(today, first=usage_now.days.first, last=usage_now.days.last)

    def sums(parts: Sequence[PricedUsage]) -> dict[str, Any]:
        units, cents = Decimal(0), 0
        for part in parts:
            own_units, own_cents = _projection(part, usage_now, elapsed)
            units, cents = CONTEXT.add(units, own_units), cents + own_cents
        return {
            **usage_shape.sums(parts),
            "projected_units": decimal_string(units),
            "projected_amount_cents": cents,
        }

    # The API's own client takes no null for values.
    shown = usage.show(usage_now, UsagePresentation(sums, no_values={}), apply_taxes=apply_taxes)
    return shown | {"projected_amount_cents": sums(usage_now.billed)["projected_amount_cents"]}


def _projection(billed: PricedUsage, open_usage: OpenUsage, elapsed: Elapsed) -> tuple[Decimal, int]:
    """Units, and the amount in whole cents.

    Units of recurring metrics are held to the end of the period; a weighted sum projects itself.
    """
    used = billed.used
    if not used.units or used.metric.recurring or used.metric.aggregation_type == Aggregation.WEIGHTED_SUM:
        return used.units, billed.amount_cents
    units = elapsed.units(used.units)
    cents = money.to_cents(_amount(used, units, elapsed), open_usage.plan.amount_currency)
    return units, money.round_half_up(cents)


def _amount(used: Used, units: Decimal, elapsed: Elapsed) -> Decimal:
    """The price of projected units; where single events decide it, it grows as they do."""
    charge = used.charge
    model = charge.charge_model
    own = parsed(charge, charge.properties if used.filter is None else used.filter.properties)
    if model is ChargeModel.DYNAMIC or charge_properties.needs_values(model, own):
        return elapsed.exact(used.priced.amount)
    return price(model, ChargeUsage(units, elapsed.number(used.events_count)), own).amount
