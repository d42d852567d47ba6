"""From a subscription's row to its fees: the subscription fee, and a fee per charge for what was used."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import money
from chalicelib.domain.aggregation.rounding import rounded
from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel, ChargeUsage, Priced, price
from chalicelib.domain.invoicing.taxes import FeeTaxes, TaxRate, fee_taxes
from chalicelib.domain.money import decimal_string
from chalicelib.domain.periods import Span
from chalicelib.domain.proration import prorated
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.invoices.records import AppliedTaxPart, Fee, PeriodPart
from chalicelib.features.plans.store import Charge, Plan
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage import service as usage
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import derived_id


@dataclass(frozen=True, slots=True)
class Used:
    """What a charge's metric counted in a range: exact units, and the number of events."""

    charge: Charge
    metric: Metric
    units: Decimal
    events_count: int


@dataclass(frozen=True, slots=True)
class TaxBook:
    """All taxes that may count for a customer, by level. The first level that has any wins.

    Source: invoices.md section 4.1.
    """

    known: dict[str, TaxRate]
    customer: tuple[TaxRate, ...]
    organization: tuple[TaxRate, ...]

    def of(self, *levels: Iterable[str]) -> tuple[TaxRate, ...]:
        """The taxes of the first of these levels (tax ids) that has any, else the customer's, else the organization's."""
        for level in levels:
            found = tuple(self.known[tax_id] for tax_id in level if tax_id in self.known)
            if found:
                return found
        return self.customer or self.organization


def used_by(
    organization: OrganizationRef,
    external_subscription_id: str,
    charges: Sequence[tuple[Charge, Metric]],
    span: Span,
) -> list[Used]:
    """What each charge's metric counted in a range, all of them read at once."""
    if not charges or span.start == span.end:
        return [Used(charge, metric, Decimal(0), 0) for charge, metric in charges]
    wanted = [usage.Wanted(code=metric.code, field_name=metric.field_name, span=span) for _, metric in charges]
    counted = usage.read(organization, external_subscription_id, wanted)
    return [
        Used(
            charge,
            metric,
            rounded(max(each.units, Decimal(0)), metric.rounding_function, metric.rounding_precision),
            each.events_count,
        )
        for (charge, metric), each in zip(charges, counted, strict=True)
    ]


def priced(used: Used) -> Priced:
    """The price of what was used, exact, in currency units."""
    model = ChargeModel(used.charge.charge_model)
    parsed = charge_properties.parse(model, used.charge.properties)
    return price(model, ChargeUsage(units=used.units, events_count=used.events_count), parsed)


def subscription_fee(
    subscription: Subscription,
    plan: Plan,
    period: PeriodPart,
    taxes: Sequence[TaxRate],
    *,
    invoice_id: str,
    now: datetime,
) -> Fee | None:
    """The base amount of a period, by the days owed of it; None where the row has none.

    Source: billing-periods.md section 4.
    """
    if period.fee_days is None or period.fee_of_days is None or period.fee_start is None or period.fee_end is None:
        return None
    precise = prorated(plan.amount_cents, days=period.fee_days, of=period.fee_of_days)
    amount_cents = money.round_half_up(precise)
    return Fee(
        id=derived_id(invoice_id, "subscription", subscription.id),
        invoice_id=invoice_id,
        customer_id=subscription.customer_id,
        external_customer_id=subscription.external_customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        charge_id=None,
        type="subscription",
        item_id=subscription.id,
        item_type="Subscription",
        item_code=plan.code,
        item_name=plan.name,
        item_description=plan.description,
        display_name=subscription.name or plan.invoice_display_name or plan.name,
        units="1.0",
        total_units="1.0",
        unit_amount=decimal_string(money.from_cents(Decimal(amount_cents), plan.amount_currency)),
        events_count=None,
        details={"plan_amount_cents": plan.amount_cents},
        pay_in_advance=plan.pay_in_advance,
        invoiceable=True,
        start=period.fee_start,
        end=period.fee_end,
        exact_end=period.exact_end,
        created_at=now,
        **_money(amount_cents, precise, plan.amount_currency, taxes, invoice_id, f"subscription#{subscription.id}"),
    )


def charge_fee(
    used: Used,
    subscription: Subscription,
    plan: Plan,
    period: PeriodPart,
    taxes: Sequence[TaxRate],
    *,
    invoice_id: str,
    now: datetime,
) -> Fee | None:
    """The fee of a charge; None where nothing was used and nothing is owed. Source: usage.md section 8."""
    result = priced(used)
    precise = money.to_cents(result.amount, plan.amount_currency)
    amount_cents = money.round_half_up(precise)
    if not used.units and not amount_cents and not used.events_count:
        return None
    charge, metric = used.charge, used.metric
    return Fee(
        id=derived_id(invoice_id, "charge", subscription.id, charge.id),
        invoice_id=invoice_id,
        customer_id=subscription.customer_id,
        external_customer_id=subscription.external_customer_id,
        subscription_id=subscription.id,
        external_subscription_id=subscription.external_id,
        charge_id=charge.id,
        type="charge",
        item_id=metric.id,
        item_type="BillableMetric",
        item_code=metric.code,
        item_name=metric.name,
        item_description=metric.description,
        display_name=charge.invoice_display_name or metric.name,
        units=decimal_string(used.units),
        total_units=decimal_string(used.units),
        unit_amount=decimal_string(result.unit_amount),
        events_count=used.events_count,
        details=dict(result.details),
        pay_in_advance=charge.pay_in_advance,
        invoiceable=charge.invoiceable,
        start=period.charges_start,
        end=period.charges_end,
        exact_end=period.exact_end,
        created_at=now,
        **_money(amount_cents, precise, plan.amount_currency, taxes, invoice_id, f"{subscription.id}#{charge.id}"),
    )


def applied_parts(found: FeeTaxes, owner: str) -> tuple[AppliedTaxPart, ...]:
    """A fee's taxes as they are kept."""
    return tuple(
        AppliedTaxPart(
            id=derived_id(owner, each.tax.code),
            tax_id=each.tax.id,
            code=each.tax.code,
            name=each.tax.name,
            rate=format(each.tax.rate, "f"),
            description=each.tax.description,
            amount_cents=each.amount_cents,
            base_cents=money.round_half_up(each.base_cents),
        )
        for each in found.applied
    )


def _money(
    amount_cents: int, precise: Decimal, currency: str, taxes: Sequence[TaxRate], invoice_id: str, subject: str
) -> dict[str, Any]:
    found = fee_taxes(Decimal(amount_cents), taxes)
    return {
        "amount_cents": amount_cents,
        "precise_amount_cents": format(precise, "f"),
        "currency": currency,
        "taxes_amount_cents": found.amount_cents,
        "taxes_precise_cents": format(found.precise_cents, "f"),
        "taxes_rate": format(found.rate, "f"),
        "applied_taxes": applied_parts(found, f"{invoice_id}#{subject}"),
    }
