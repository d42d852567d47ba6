"""Fees as rows: what was used, at which price, for how much.

A price stands in a row only where it is one: units times price is the amount. Tiers, packages and percentages are rows of
their own below the fee, from its `amount_details`. Source: rules/invoices 12.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from chalicelib.domain.money import CONTEXT, round_half_up, total
from chalicelib.features.documents import shares
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.letters import isolated
from chalicelib.features.documents.page import Line

Fee = Mapping[str, Any]
_COMMITMENT = "Minimum commitment - True up"  # The name of one that has no own.
_TRUE_UP = " - True-up"


@dataclass(frozen=True, slots=True)
class _Part:
    """One row below a fee. `amount`: exact, in currency units."""

    title: str
    units: str = ""
    price: str = ""
    amount: Decimal | None = None


def columns(words: Mapping[str, str], *, taxed: bool) -> tuple[str, ...]:
    """The heads of the columns. `taxed`: one is of taxes."""
    return words["item"], words["units"], words["unit_price"], *([words["tax"]] if taxed else []), words["amount"]


def widths(*, taxed: bool) -> tuple[int, ...]:
    """The widths of the columns after the first."""
    return (26, 30, 18, 32) if taxed else (26, 30, 32)


def worth_a_line(fee: Fee) -> bool:
    """Whether a fee is shown: one without units and amount is not."""
    return bool(fee["amount_cents"]) or Decimal(fee["units"]) != 0


def lines(
    fees: Sequence[Fee],
    words: Mapping[str, str],
    show: Formats,
    timezone: str,
    *,
    period: str = "",
    taxed: bool = True,
) -> list[Line]:
    """The rows of fees, in their order. `period`: as the table says it; fees of other days say theirs."""
    filtered = {fee["lago_charge_id"] for fee in fees if fee["lago_charge_filter_id"]}
    found: list[Line] = []
    for fee in fees:
        notes = [note for note in (_filter(fee, filtered, words), _group(fee, words)) if note]
        if fee["item"]["type"] == "add_on" and fee["item"]["description"]:
            notes.append(fee["item"]["description"])
        if fee["events_count"] and fee["item"]["type"] == "charge":
            notes.append(words["events"].format(number=show.number(fee["events_count"])))
        if fee["item"]["type"] in ("subscription", "add_on", "fixed_charge", "commitment") and fee["from_date"]:
            days = show.days(fee["from_date"], fee["to_date"], timezone)
            notes += [days] if days != period else []
        details = _details(fee, words, show)
        price = "" if details else _price(fee, show)
        tax = [show.rate(fee["taxes_rate"])] if taxed else []
        cells = (show.number(fee["units"]), price, *tax, show.cents(fee["amount_cents"]))
        found += [Line(_title(fee, words), cells, notes), *details]
    return found


def _title(fee: Fee, words: Mapping[str, str]) -> str:
    item = fee["item"]
    name = str(item["invoice_display_name"] or item["name"])
    if fee["lago_true_up_parent_fee_id"]:
        return f"{isolated(name.removesuffix(_TRUE_UP))} – {words['true_up']}"
    if item["type"] == "commitment" and name == _COMMITMENT:
        return words["minimum_commitment"]
    if item["type"] == "credit" and name == "credit":
        return words["prepaid_credits"]
    return name


def _filter(fee: Fee, filtered: set[str | None], words: Mapping[str, str]) -> str | None:
    """The filter's name, or its values; of usage outside of all filters that it is of others."""
    item = fee["item"]
    if item["filter_invoice_display_name"]:
        return str(item["filter_invoice_display_name"])
    if item["filters"] and fee["lago_charge_filter_id"]:
        return " • ".join(", ".join(map(isolated, values)) for values in item["filters"].values())
    is_charge = item["type"] == "charge" and not fee["lago_true_up_parent_fee_id"]
    return words["other"] if is_charge and fee["lago_charge_id"] in filtered else None


def _group(fee: Fee, words: Mapping[str, str]) -> str | None:
    groups = fee["item"]["grouped_by"]
    named = [
        words["labelled"].format(label=isolated(name), value=isolated(str(groups[name])))
        for name in groups
        if groups[name] is not None
    ]
    return " • ".join(named) or None


def _price(fee: Fee, show: Formats) -> str:
    unit = Decimal(fee["precise_unit_amount"])
    exact = CONTEXT.multiply(unit, Decimal(fee["units"])) == Decimal(fee["precise_amount"])
    return show.money(unit) if exact else ""


def _details(fee: Fee, words: Mapping[str, str], show: Formats) -> list[Line]:
    parts = _parts(fee, words, show)
    exact = [show.exact_cents(part.amount) for part in parts if part.amount is not None]
    amounts = iter(shares.whole(exact, _sum_of_parts(exact, fee["amount_cents"])))
    return [
        Line(
            part.title,
            (part.units, part.price, "", "" if part.amount is None else show.cents(next(amounts))),
            detail=True,
        )
        for part in parts
    ]


def _sum_of_parts(exact: Sequence[Decimal], amount_cents: int) -> int:
    """The sum of a fee's rows in minor units: the fee's amount, but where the rows are not its parts."""
    whole = total(exact)
    return amount_cents if abs(CONTEXT.subtract(whole, Decimal(amount_cents))) < 1 else round_half_up(whole)


def _parts(fee: Fee, words: Mapping[str, str], show: Formats) -> list[_Part]:
    details = fee["amount_details"]
    tiers = details.get("graduated_ranges") or details.get("graduated_percentage_ranges")
    if tiers:
        return [part for tier in tiers for part in _tier(tier, words, show)]
    if details.get("per_package_size"):
        return _package(details, words, show)
    if "rate" in details:
        return _percentage(details, words, show)
    if "flat_unit_amount" in details:
        return _volume(fee, words, show)
    return []


def _tier(tier: Mapping[str, Any], words: Mapping[str, str], show: Formats) -> list[_Part]:
    low = show.number(tier["from_value"])
    high = tier["to_value"]
    title = words["from_units"].format(number=low) if high is None else f"{low} – {show.number(high)}"
    flat = Decimal(tier["flat_unit_amount"])
    # The fee of one event in advance is a difference, whose parts do not add up: the sum says what it is.
    whole = Decimal(tier["total_with_flat_amount"])
    price = show.rate(tier["rate"]) if "rate" in tier else show.money(Decimal(tier["per_unit_amount"]))
    amount = CONTEXT.subtract(whole, flat)
    found = [_Part(title, show.number(tier["units"]), price, amount)]
    return [*found, _Part(words["flat_fee"], amount=flat)] if flat else found


def _package(details: Mapping[str, Any], words: Mapping[str, str], show: Formats) -> list[_Part]:
    found = []
    if Decimal(details["free_units"]):
        found.append(_Part(words["free_units"], show.number(details["free_units"])))
    size, paid = Decimal(details["per_package_size"]), Decimal(details["paid_units"])
    packages = (paid / size).to_integral_value(ROUND_CEILING)
    title = words["packages_of"].format(number=show.number(size))
    price = Decimal(details["per_package_unit_amount"])
    return [*found, _Part(title, show.number(packages), show.money(price), CONTEXT.multiply(packages, price))]


def _percentage(details: Mapping[str, Any], words: Mapping[str, str], show: Formats) -> list[_Part]:
    found = []
    if Decimal(details["free_units"]):
        found.append(_Part(words["free_units"], show.number(details["free_units"])))
    amount = Decimal(details["per_unit_total_amount"])
    found.append(_Part(words["percentage"], show.number(details["paid_units"]), show.rate(details["rate"]), amount))
    if Decimal(details["fixed_fee_total_amount"]):
        price = show.money(Decimal(details["fixed_fee_unit_amount"]))
        fixed = Decimal(details["fixed_fee_total_amount"])
        found.append(_Part(words["fixed_per_event"], show.number(details["paid_events"]), price, fixed))
    if Decimal(details["min_max_adjustment_total_amount"]):
        adjustment = Decimal(details["min_max_adjustment_total_amount"])
        found.append(_Part(words["bounds_adjustment"], amount=adjustment))
    return found


def _volume(fee: Fee, words: Mapping[str, str], show: Formats) -> list[_Part]:
    details = fee["amount_details"]
    price, flat = Decimal(details["per_unit_amount"]), Decimal(details["flat_unit_amount"])
    for_units = Decimal(details["per_unit_total_amount"])
    found = [_Part(words["units"], show.number(fee["units"]), show.money(price), for_units)]
    return [*found, _Part(words["flat_fee"], amount=flat)] if flat else found
