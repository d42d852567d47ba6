"""Current usage: the open period of one subscription, priced as its invoice would be, nothing stored."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import money, periods, subscriptions
from chalicelib.domain.billing_line import Days
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.domain.invoicing.steps import TaxedFee, totals
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.events import service as events
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import active_parts
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.features.rating import event_usage, metered, tax_resolver
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.usage_period import Period
from chalicelib.features.subscriptions import reading as subscription_reading
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.features.usage_views import shape as usage_shape
from chalicelib.features.usage_views.shape import PricedUsage, UsagePresentation
from chalicelib.platform import parameters
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.http import Call
from chalicelib.platform.ids import ChargeId, OrganizationId
from chalicelib.platform.timestamps import iso

_GROUP = re.compile(r"(?:filter_by_)?group\[([^\]]+)\]")


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection of charges; all of them when nothing is named. `group`: only events with these properties; `full`:
    since the subscription started."""

    charge_id: ChargeId | None = None
    charge_code: str | None = None
    metric_code: str | None = None
    group: Mapping[str, str] = field(default_factory=dict)
    full: bool = False

    @classmethod
    def of(cls, call: Call) -> "Selection":
        """The selection that a query asks for, by the present names or the older ones.

        Raises: Invalid, where all usage since the start is asked for without a charge or a group.
        """
        found = cls(
            ChargeId(call.one("charge_id") or call.one("filter_by_charge_id") or "") or None,
            call.one("charge_code") or call.one("filter_by_charge_code"),
            call.one("billable_metric_code") or call.one("filter_by_metric_code"),
            _group(call.query),
            parameters.switch(call, "full_usage") is True,
        )
        if found.full and not found.names_a_charge and not found.group:
            raise Invalid.field("full_usage", ErrorCode.VALUE_MUST_BE_BLANK)
        return found

    @property
    def names_a_charge(self) -> bool:
        """Whether a charge is named, which then has to exist."""
        return self.charge_id is not None or self.charge_code is not None

    def keeps(self, charge: Charge, metric_code: str) -> bool:
        """Whether a charge is among those asked for."""
        return (
            self.charge_id in (None, charge.id)
            and self.charge_code in (None, charge.code)
            and self.metric_code in (None, metric_code)
        )


EVERYTHING = Selection()


def _group(query: Mapping[str, Sequence[str]]) -> dict[str, str]:
    named = [(_GROUP.fullmatch(name), values) for name, values in query.items()]
    return {match[1]: values[0] for match, values in named if match and values}


@dataclass(frozen=True, slots=True)
class OpenUsage:
    """Usage of a subscription in a range that is not billed yet, by charge in the plan's order."""

    context: BillingContext
    plan: Plan
    days: Days
    charges: Sequence[tuple[Charge, Metric]]
    billed: Sequence[PricedUsage]


def open_usage(
    organization: OrganizationRef,
    customer: Customer,
    external_subscription_id: str,
    selection: Selection,
    *,
    now: datetime,
) -> OpenUsage:
    """Usage of the period that contains `now`, or, where the selection is full, since the subscription started.

    Raises: NotAllowed, `no_active_subscription`; NotFound, when a named charge matches none.
    """
    subscription = _active(organization.id, customer, external_subscription_id)
    context = BillingContext(organizations.get(organization.id), customer, BillingState(customer_id=customer.id))
    return usage_of(context, subscription, selection, now=now)


def usage_of(
    context: BillingContext, subscription: Subscription, selection: Selection, *, now: datetime, in_advance: bool = True
) -> OpenUsage:
    """Open usage of an active subscription. `in_advance`: with the charges whose events are billed at once.

    Raises: NotFound, when a named charge matches none.
    """
    organization = context.organization.ref
    plan = plans.by_ids(organization.id, [subscription.plan_id])[subscription.plan_id]
    days = subscriptions.open_days(schedule.terms_of(plan), schedule.life_of(subscription), now, context.zone)
    if selection.full:
        days = _since_start(subscription, days, context.zone)
    charges = active_parts.live_charges(plan, active_parts.metrics_of(organization.id, [plan]))
    chosen = [(charge, metric) for charge, metric in charges if selection.keeps(charge, metric.code)]
    if selection.names_a_charge and not chosen:
        raise NotFound(Resource.CHARGE)
    events.wait_for_events(organization)
    period = Period(organization, subscription, days, context.zone)
    in_arrears = [pair for pair in chosen if not pair[0].pay_in_advance]
    at_once = [pair for pair in chosen if pair[0].pay_in_advance] if in_advance else []
    used = metered.used_by(organization, subscription.stream, in_arrears, period.window, only=selection.group)
    used += event_usage.paid_by_now(period, at_once, only=selection.group)
    billed = [
        PricedUsage(each, money.round_half_up(money.to_cents(each.priced.amount, plan.amount_currency)))
        for each in used
    ]
    return OpenUsage(context, plan, days, chosen, billed)


def current(
    organization: OrganizationRef,
    customer: Customer,
    external_subscription_id: str,
    selection: Selection,
    *,
    apply_taxes: bool,
    now: datetime,
) -> dict[str, Any]:
    """`customer_usage` of the period containing `now`. Source: rules/usage 9.

    Raises: as `open_usage`.
    """
    usage_now = open_usage(organization, customer, external_subscription_id, selection, now=now)
    return show(usage_now, usage_shape.DEFAULT_PRESENTATION, apply_taxes=apply_taxes)


def show(open_usage: OpenUsage, presentation: UsagePresentation, *, apply_taxes: bool) -> dict[str, Any]:
    """Open usage as the API shows it, its charges as `presentation` says."""
    span, currency = open_usage.days.span, open_usage.plan.amount_currency
    sums = totals(taxed_fees(open_usage, apply_taxes=apply_taxes))
    return {
        "from_datetime": iso(span.start),
        "to_datetime": iso(max(span.start, span.end - timedelta(seconds=1))),
        "issuing_date": periods.local_date(span.end - timedelta(microseconds=1), open_usage.context.zone).isoformat(),
        "lago_invoice_id": None,
        "currency": currency,
        "amount_cents": sums.fees_amount_cents,
        "amount_currency": currency,
        "taxes_amount_cents": sums.taxes.amount_cents,
        "vat_amount_cents": sums.taxes.amount_cents,
        "total_amount_cents": sums.sub_total_including_taxes_amount_cents,
        "total_amount_currency": currency,
        "charges_usage": [
            usage_shape.charge_usage(
                charge, metric, [b for b in open_usage.billed if b.used.charge == charge], currency, presentation
            )
            for charge, metric in open_usage.charges
        ],
    }


def taxed_fees(open_usage: OpenUsage, *, apply_taxes: bool) -> list[TaxedFee]:
    """The open usage as fees, for the computation of an invoice. `apply_taxes`: with the customer's taxes."""
    taxes = tax_resolver.read(open_usage.context, [open_usage.plan])
    return [
        TaxedFee(
            each.amount_cents,
            taxes.of(each.used.charge.tax_ids, open_usage.plan.tax_ids) if apply_taxes else (),
            ("charge", each.used.metric.code),
        )
        for each in open_usage.billed
    ]


def _since_start(subscription: Subscription, days: Days, zone: ZoneInfo) -> Days:
    """The range from a subscription's start to the end of its running period."""
    assert subscription.started_at is not None, "it is active"
    first = periods.local_date(subscription.started_at, zone)
    whole = periods.Period(first, days.last + timedelta(days=1))
    return Days(periods.Span(subscription.started_at, days.span.end), first, days.last, whole)


def _active(organization_id: OrganizationId, customer: Customer, external_id: str) -> Subscription:
    live = subscription_reading.find_live(organization_id, external_id)
    if live is not None and live.customer_id == customer.id:
        found = subscription_reading.get(organization_id, customer.id, live.subscription_id)
        if found is not None and found.status == Status.ACTIVE:
            return found
    raise NotAllowed(ErrorCode.NO_ACTIVE_SUBSCRIPTION)
