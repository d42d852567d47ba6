"""An invoice of the API in the parts that its page shows: cards of fees, and the totals in their order. Pure.

A price stands in a row only where it is one: units times price is the amount. Tiers, packages and percentages are steps of
their own, from the fee's `amount_details`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from chalicelib.console import format
from chalicelib.domain.invoicing.steps import BEFORE_TAX, VERSION_NUMBERS
from chalicelib.domain.money import CONTEXT

_Fee = Mapping[str, Any]
OTHERS = "others"  # The group of fees that belong to no subscription.


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a price, as texts."""

    title: str
    units: str = ""
    price: str = ""
    amount: str = ""


@dataclass(frozen=True, slots=True)
class FeeLine:
    """A fee as a row. `price`: of one unit, where it is one; `notes`: below its name."""

    fee: _Fee
    name: str
    notes: Sequence[str]
    price: str
    steps: Sequence[Step]
    period: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """The fees of one subscription, or all others. `period`: first and last instant."""

    id: str
    title: str
    plan: str
    period: tuple[str, str] | None
    lines: Sequence[FeeLine] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Total:
    """One line of the totals."""

    label: str
    cents: int
    is_last: bool = False


def filtered(fees: Iterable[_Fee]) -> set[str | None]:
    """The charges that have fees of dimensions."""
    return {fee["lago_charge_id"] for fee in fees if fee["lago_charge_filter_id"]}


def cards(invoice: Mapping[str, Any], plan_names: Mapping[str, str]) -> list[Card]:
    """One card for each subscription that was billed, and one for all other fees. `plan_names`: by id."""
    spans = {each["lago_subscription_id"]: each for each in invoice["billing_periods"]}
    of_dimensions = filtered(invoice["fees"])
    found: list[Card] = []
    for each in invoice["subscriptions"]:
        span = spans.get(each["lago_id"])
        lines = [line(fee, of_dimensions) for fee in invoice["fees"] if fee["lago_subscription_id"] == each["lago_id"]]
        plan = plan_names.get(span["lago_plan_id"], "") if span else ""
        card = Card(each["lago_id"], each["name"] or each["external_id"], plan, _period(span))
        found.append(_with_lines(card, lines, invoice["customer"]["applicable_timezone"]))
    known = {card.id for card in found}
    rest = [line(fee, of_dimensions) for fee in invoice["fees"] if fee["lago_subscription_id"] not in known]
    if rest:
        title = "Prepaid credits" if invoice["invoice_type"] == "credit" else "Fees"
        found.append(Card(OTHERS, title, "", None, rest))
    return found


def _with_lines(card: Card, lines: Sequence[FeeLine], zone: str) -> Card:
    """The card; its lines say their period where it has other days."""
    days = _days(card.period, zone)
    shown = [replace(each, period=None) if _days(each.period, zone) == days else each for each in lines]
    # The fee of the subscription itself has its name, which stands above it.
    named = [
        replace(each, name="Subscription fee")
        if each.fee["item"]["type"] == "subscription" and each.name in (card.title, card.plan)
        else each
        for each in shown
    ]
    return replace(card, lines=named)


def _days(period: tuple[str, str] | None, zone: str) -> tuple[str, str] | None:
    return None if period is None else (format.moment(period[0], zone), format.last_day(period[1], zone))


def _period(span: Mapping[str, Any] | None) -> tuple[str, str] | None:
    if span is None:
        return None
    kind = "charges" if span["charges_from_datetime"] else "subscription"
    return span[f"{kind}_from_datetime"], span[f"{kind}_to_datetime"]


def line(fee: _Fee, filtered: set[str | None]) -> FeeLine:
    """A fee as a row. `filtered`: charges with fees of dimensions, whose other fee is of all the rest."""
    item, currency = fee["item"], fee["amount_currency"]
    name = str(item["invoice_display_name"] or item["name"])
    dimension = _dimension(fee, filtered)
    notes = [item["description"]] if item["type"] == "add_on" and item["description"] else []
    if fee["events_count"] and item["type"] == "charge":
        notes.append(f"{fee['events_count']:,} event{'' if fee['events_count'] == 1 else 's'}")
    steps = _steps(fee["amount_details"], currency, fee["units"])
    has_period = item["type"] in ("subscription", "fixed_charge", "commitment", "add_on") and fee["from_date"]
    period = (fee["from_date"], fee["to_date"]) if has_period and fee["from_date"] != fee["to_date"] else None
    return FeeLine(fee, f"{name} · {dimension}" if dimension else name, notes, _price(fee, steps), steps, period)


def _dimension(fee: _Fee, filtered: set[str | None]) -> str:
    item = fee["item"]
    groups = [f"{key} {value}" for key, value in item["grouped_by"].items() if value is not None]
    if item["filter_invoice_display_name"]:
        return " · ".join([item["filter_invoice_display_name"], *groups])
    if item["filters"] and fee["lago_charge_filter_id"]:
        return " · ".join([*(", ".join(values) for values in item["filters"].values()), *groups])
    is_rest = item["type"] == "charge" and fee["lago_charge_id"] in filtered and not fee["lago_true_up_parent_fee_id"]
    return " · ".join([*(["other"] if is_rest else []), *groups])


def _price(fee: _Fee, steps: Sequence[Step]) -> str:
    unit = Decimal(fee["precise_unit_amount"])
    units = Decimal(fee["units"])
    is_price = units == 1 or CONTEXT.multiply(unit, units) == Decimal(fee["precise_amount"])
    return format.price(unit, fee["amount_currency"]) if is_price and not steps else ""


def _steps(details: Mapping[str, Any], currency: str, units: str) -> list[Step]:
    tiers = details.get("graduated_ranges") or details.get("graduated_percentage_ranges")
    if tiers:
        return [step for tier in tiers for step in _tier(tier, currency)]
    if details.get("per_package_size"):
        return _package(details, currency)
    if "rate" in details:
        return _percentage(details, currency)
    if "flat_unit_amount" in details:
        price = format.price(details["per_unit_amount"], currency)
        amount = format.price(details["per_unit_total_amount"], currency)
        return [Step("All units", format.units(units), price, amount), *_flat(details, currency)]
    return []


def _tier(tier: Mapping[str, Any], currency: str) -> list[Step]:
    low, high = format.units(tier["from_value"]), tier["to_value"]
    title = f"From {low}" if high is None else f"{low} – {format.units(high)}"
    price = format.percent(tier["rate"]) if "rate" in tier else format.price(tier["per_unit_amount"], currency)
    amount = CONTEXT.subtract(Decimal(tier["total_with_flat_amount"]), Decimal(tier["flat_unit_amount"]))
    return [Step(title, format.units(tier["units"]), price, format.price(amount, currency)), *_flat(tier, currency)]


def _flat(details: Mapping[str, Any], currency: str) -> list[Step]:
    flat = Decimal(details["flat_unit_amount"])
    return [Step("Flat fee", amount=format.price(flat, currency))] if flat else []


def _package(details: Mapping[str, Any], currency: str) -> list[Step]:
    size, paid = Decimal(details["per_package_size"]), Decimal(details["paid_units"])
    packages = (paid / size).to_integral_value(ROUND_CEILING)
    price = Decimal(details["per_package_unit_amount"])
    amount = format.price(CONTEXT.multiply(packages, price), currency)
    title = f"Packages of {format.units(size)}"
    return [*_free(details), Step(title, format.units(packages), format.price(price, currency), amount)]


def _free(details: Mapping[str, Any]) -> list[Step]:
    return [Step("Free units", format.units(details["free_units"]))] if Decimal(details["free_units"]) else []


def _percentage(details: Mapping[str, Any], currency: str) -> list[Step]:
    amount = format.price(details["per_unit_total_amount"], currency)
    paid, rate = format.units(details["paid_units"]), format.percent(details["rate"])
    found = [*_free(details), Step("Percentage", paid, rate, amount)]
    if Decimal(details["fixed_fee_total_amount"]):
        price = format.price(details["fixed_fee_unit_amount"], currency)
        events = format.count(details["paid_events"])
        found.append(Step("Per event", events, price, format.price(details["fixed_fee_total_amount"], currency)))
    if Decimal(details["min_max_adjustment_total_amount"]):
        adjusted = format.price(details["min_max_adjustment_total_amount"], currency)
        found.append(Step("Minimum and maximum per transaction", amount=adjusted))
    return found


def sums(invoice: Mapping[str, Any]) -> list[Total]:
    """The totals in the order of computation. Source: rules/invoices 3."""
    last = Total("Total due", invoice["total_amount_cents"], is_last=True)
    if invoice["invoice_type"] == "credit":
        return [last]
    currency = invoice["currency"]
    is_before = invoice["version_number"] == VERSION_NUMBERS[BEFORE_TAX]
    coupons = _taken(invoice, "coupon", "Coupon", "name", "coupons_amount_cents")
    prepaid = invoice["prepaid_credit_amount_cents"]
    taxes = [
        Total(
            f"{tax['tax_name']} ({format.percent(tax['tax_rate'])}) on {format.money(tax['fees_amount_cents'], currency)}",
            tax["amount_cents"],
        )
        for tax in invoice["applied_taxes"]
    ]
    return [
        *([Total("Fees", invoice["fees_amount_cents"]), *coupons] if is_before and coupons else []),
        Total("Subtotal, excl. tax", invoice["sub_total_excluding_taxes_amount_cents"]),
        *(taxes or [Total("Tax", invoice["taxes_amount_cents"])]),
        Total("Subtotal, incl. tax", invoice["sub_total_including_taxes_amount_cents"]),
        *_taken(invoice, "credit_note", "Credit note", "code", "credit_notes_amount_cents"),
        *([] if is_before else coupons),
        *([Total("Prepaid credits", -prepaid)] if prepaid else []),
        last,
    ]


def _taken(invoice: Mapping[str, Any], kind: str, word: str, name: str, whole: str) -> list[Total]:
    """Deductions, each by its name; one line where the parts are not known."""
    own = [credit for credit in invoice["credits"] if credit["item"]["type"] == kind and credit["amount_cents"]]
    if sum(credit["amount_cents"] for credit in own) != invoice[whole]:
        return [Total(f"{word}s", -invoice[whole])] if invoice[whole] else []
    return [Total(f"{word} {credit['item'][name]}", -credit["amount_cents"]) for credit in own]


def usage_until(invoice: Mapping[str, Any]) -> str | None:
    """The last instant whose events an invoice bills; None where it bills no usage."""
    ends: list[str] = [
        each["charges_to_datetime"] for each in invoice["billing_periods"] if each["charges_to_datetime"]
    ]
    return max(ends, default=None)
