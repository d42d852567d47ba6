"""The terms of a coupon in a sentence: pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.console.format import money, percent


def sentence(terms: Mapping[str, Any], names: Sequence[str], *, what: str, before_tax: bool) -> str:
    """Such as `10% off each of the next 6 invoices, plans Growth and Scale only, deducted after tax`. `terms`: as the API
    shows them; `names`: what it is limited to, `what` of them being `plans` or `metrics`."""
    when = "before" if before_tax else "after"
    parts = [f"{value(terms)} off {_of(terms)}"]
    if names:
        parts.append(f"{_kind(what, len(names))} {listed(names)} only")
    return f"{', '.join(parts)}, deducted {when} tax"


def value(terms: Mapping[str, Any]) -> str:
    """An amount or a rate."""
    if terms.get("percentage_rate") is not None:
        return percent(terms["percentage_rate"])
    return money(terms.get("amount_cents"), terms.get("amount_currency"))


def frequency(terms: Mapping[str, Any]) -> str:
    """The frequency in words: `Once`, `Recurring, 6 periods`, `Forever`."""
    if terms["frequency"] == "recurring":
        number = terms.get("frequency_duration")
        return f"Recurring, {number} {'period' if number == 1 else 'periods'}"
    return str(terms["frequency"]).capitalize()


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `A, B and C`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _of(terms: Mapping[str, Any]) -> str:
    if terms.get("frequency") == "forever":
        return "every invoice"
    if terms.get("frequency") == "recurring":
        number = terms.get("frequency_duration")
        return "the next invoice" if number == 1 else f"each of the next {_invoices(number)}"
    # An amount that is given once is used up by as many invoices as it takes.
    return "the next invoice" if terms.get("percentage_rate") is not None else "the next invoices until it is used up"


def _invoices(number: Any) -> str:
    return "1 invoice" if number == 1 else f"{'…' if number is None else number} invoices"


def _kind(what: str, number: int) -> str:
    word = "plan" if what == "plans" else "billable metric"
    return word if number == 1 else f"{word}s"
