"""Fees that an event would owe at once; nothing is kept. Source: rules/usage 1.2, 7.2."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.aggregation.numbers import quantity
from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.domain.charges.usage import Priced
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.billable_metrics import formulas
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.events import schemas
from chalicelib.features.events import service as events
from chalicelib.features.invoices import serializer
from chalicelib.features.invoicing import event_charges
from chalicelib.features.invoicing.event_charges import EventContext
from chalicelib.features.metering.event import Event
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans.records import Charge
from chalicelib.features.rating import charged, event_usage
from chalicelib.features.rating.metered import Used
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.records import Status
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, OrganizationId

# Behind all that was received at the same instant.
_LAST = "\U0010ffff"
_NUMERIC = (Aggregation.SUM, Aggregation.MAX, Aggregation.LATEST, Aggregation.WEIGHTED_SUM)


def fees_of(organization: OrganizationRef, values: Mapping[str, Any], *, now: datetime) -> list[dict[str, Any]]:
    """The fees of an event, one per charge in advance of its code, as the API shows them.

    Raises: Invalid; NotFound, for an unknown subscription or metric.
    """
    event = schemas.read_estimate(values, now=now)
    _check_active(organization.id, event.external_subscription_id)
    metric = metrics.find(organization.id, event.code)
    event = events.evaluated(event, formulas.of(organization))
    _check(metric, event)
    own = organizations.get(organization.id)
    precise = event.precise_total_amount_cents
    reading = Reading(event.at, _LAST, event.properties, None if precise is None else Decimal(precise))
    context = event_charges.context_of(own, event.external_subscription_id, event.code, reading)
    if context is None:
        raise NotFound(Resource.SUBSCRIPTION)
    if not context.charges:
        raise Invalid.field("code", ErrorCode.DOES_NOT_MATCH_AN_INSTANT_CHARGE)
    return [_shown(context, charge, reading, now=now) for charge, _ in context.charges]


def _check_active(organization_id: OrganizationId, external_id: str) -> None:
    live = subscriptions.find_live(organization_id, external_id) if external_id else None
    found = None
    if live is not None:
        found = subscriptions.get(organization_id, live.customer_id, live.subscription_id)
    if found is None or found.status != Status.ACTIVE:
        raise NotFound(Resource.SUBSCRIPTION)


def _check(metric: Metric, event: Event) -> None:
    if metric.aggregation_type in _NUMERIC and quantity(event.properties.get(metric.field_name or "")) is None:
        raise Invalid.field("properties", ErrorCode.VALUE_IS_NOT_VALID_NUMBER)


def _shown(context: EventContext, charge: Charge, event: Reading, *, now: datetime) -> dict[str, Any]:
    metric = next(metric for one, metric in context.charges if one.id == charge.id)
    part = event_usage.target_of(context.period, charge, metric, event)
    if part is None:  # An event that the charge does not see costs nothing.
        nothing = Priced(Decimal(0), Decimal(0), {})
        used = Used(charge, metric, None, (), Decimal(0), Decimal(0), 1, nothing)
    else:
        place = charged.key_of(context.period, part)
        (by_now,), _ = charged.read([place])
        owed = event_usage.owed(context.period, part, event, charged=by_now, stored=False)
        assert owed is not None, "it is looked at as if it were there"
        used = owed.used
    fee = context.fee(used, InvoiceId("estimate"), transaction_id=None, now=now)
    shown = serializer.fee(fee.model_copy(update={"invoice_id": None}), fee.payment_status)
    taxes = [{**tax, "lago_id": None, "lago_fee_id": None} for tax in shown["applied_taxes"]]
    return {**shown, "lago_id": None, "applied_taxes": taxes}
