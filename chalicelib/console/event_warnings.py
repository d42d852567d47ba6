"""Warnings of events as sentences: which of a metric's expectations an event does not meet. That it does not is the API's
word; here is only said what."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LABELS: Mapping[str, str] = {
    "unknown_code": "Unknown code",
    "property_mismatch": "Property",
    "dimension_mismatch": "Dimension",
}
# Use of the property by each aggregation.
_DOES: Mapping[str, str] = {
    "sum_agg": "adds up",
    "max_agg": "takes the maximum of",
    "latest_agg": "takes the last",
    "unique_count_agg": "counts the different values of",
    "weighted_sum_agg": "adds up over time",
}

Shown = Mapping[str, Any]


class Warned(NamedTuple):
    """A warning: `before` and `after` a `code` that is shown as such."""

    kind: str
    before: str
    code: str
    after: str


def told(event: Shown, metric: Shown | None) -> list[Warned]:
    """The warnings of an event, in the API's order. `metric`: that of its code, where there is one by now."""
    return [each for kind in event["warnings"] for each in _TOLD[kind](event, metric)]


def nearest(code: str, codes: Sequence[str]) -> str | None:
    """The code that was probably meant."""
    found = difflib.get_close_matches(code, codes, 1, 0.6)
    return found[0] if found else None


def _unknown_code(event: Shown, metric: Shown | None) -> list[Warned]:
    before = "No billable metric has the code" if metric is None else "No billable metric had the code"
    return [Warned("unknown_code", before, event["code"], "." if metric is None else " when this event was counted.")]


def _property(event: Shown, metric: Shown | None) -> list[Warned]:
    name = (metric or {}).get("field_name")
    if not name:
        return [Warned("property_mismatch", "The property that is aggregated is missing or no number.", "", "")]
    given = event["payload"].get("properties") or {}
    does = _DOES.get(str((metric or {}).get("aggregation_type")), "aggregates")
    lacks = ", which this event lacks." if given.get(name) is None else ", which is no number in this event."
    return [Warned("property_mismatch", f"This metric {does}", name, lacks)]


def _dimension(event: Shown, metric: Shown | None) -> list[Warned]:
    given = event["payload"].get("properties") or {}
    found = []
    for each in (metric or {}).get("filters") or ():
        value = given.get(each["key"])
        if value is not None and str(value) not in each["values"]:
            after = f" is {value}, which the metric does not list ({', '.join(each['values'][:6])})."
            found.append(Warned("dimension_mismatch", "The dimension", each["key"], after))
    return found or [
        Warned("dimension_mismatch", "A dimension is missing, or has a value that the metric does not list.", "", "")
    ]


_TOLD = {"unknown_code": _unknown_code, "property_mismatch": _property, "dimension_mismatch": _dimension}
