"""Building the filters of a charge from a request: by the present form, or by the legacy API's groups.

A request replaces all filters of a charge. One with the values of a filter before is that filter: it keeps its id and
its age, by which the billing of an event decides between two that match alike. Source: rules/usage 4.2, 4.3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound, merge
from chalicelib.features.billable_metrics.groups import Dimensions, canonical
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.parts.properties import checked_usage_properties
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.plans.schemas import ChargeFilterInput, ChargeInput
from chalicelib.platform import schema
from chalicelib.platform.ids import ChargeFilterId, new_id

Findings = dict[str, list[str]]
_IDS = ("id", "lago_id")


@dataclass(frozen=True, slots=True)
class FilterPatch:
    """In place of a list of filters: a change of one of them, whatever the others are when it is carried out. `id`
    None: a new one; `fields` None: it goes."""

    id: str | None
    fields: Mapping[str, Any] | None

    def entries(self, filters: Sequence[ChargeFilter]) -> list[dict[str, Any]]:
        """All filters after the change, as a request would list them.

        Raises: NotFound, when it is not among them.
        """
        if self.id is None:
            return [*map(_entry, filters), {k: v for k, v in (self.fields or {}).items() if k not in _IDS}]
        old = find(filters, ChargeFilterId(self.id))
        changed = [] if self.fields is None else [_entry(old) | dict(self.fields) | {"id": old.id}]
        return [entry for f in filters for entry in (changed if f.id == old.id else [_entry(f)])]


def find(filters: Sequence[ChargeFilter], filter_id: ChargeFilterId) -> ChargeFilter:
    """A filter by its own id or by that of the parent's filter that it stands for.

    Raises: NotFound.
    """
    for ids in ({f.id: f for f in filters}, {f.parent_id: f for f in filters if f.parent_id}):
        if filter_id in ids:
            return ids[filter_id]
    raise NotFound(Resource.CHARGE_FILTER)


def build(request: ChargeInput, metric: Metric, old: Charge | None) -> tuple[tuple[ChargeFilter, ...], Findings]:
    """The filters that a request describes, the oldest first, and what is wrong with it. What it does not name stays,
    if it goes with the charge's model and metric."""
    given = request.model_fields_set
    before = old.filters if old is not None else ()
    same_metric = old is not None and old.metric_id == metric.id
    dimensions = Dimensions(metric)
    entries: list[dict[str, Any]] = request.filters
    wrong: Findings = {}
    if "group_properties" in given and (request.group_properties or "filters" not in given):
        entries, wrong = _of_groups(request, dimensions, before)
    elif "filters" not in given:
        if old is not None and same_metric and old.charge_model == request.charge_model:
            return before, {}
        entries = [_entry(f) for f in before]
    if wrong:
        return (), wrong
    making = FilterBuilder(before, dimensions, request.charge_model, same_metric=same_metric)
    return making.filters(entries)


def _of_groups(
    request: ChargeInput, dimensions: Dimensions, before: Sequence[ChargeFilter]
) -> tuple[list[dict[str, Any]], Findings]:
    """The filters that the legacy API's `group_properties` stand for, beside those that stand for no group."""
    left: dict[str, Mapping[str, Sequence[str]]] = {f.group_id: f.values for f in before if f.group_id}
    left |= {group.id: group.values for group in dimensions.groups.values()}
    entries: list[dict[str, Any]] = []
    for each in request.group_properties:
        values = left.pop(str(each.get("group_id")), None)
        if values is None:  # Unknown, or named twice.
            return [], {"group_properties": [ErrorCode.VALUE_IS_INVALID]}
        if not each.get("values"):
            return [], {"values": [ErrorCode.VALUE_IS_MANDATORY]}
        named = {"properties": each["values"], "invoice_display_name": each.get("invoice_display_name")}
        entries.append({"values": values, **named})
    if not request.filters:
        return entries + [_entry(f) for f in before if f.group_id is None], {}
    # Both forms at once, as a charge is shown: they may not contradict each other.
    if _prices(request.filters, dimensions) != _prices(entries, dimensions):
        return [], {"group_properties": [ErrorCode.VALUE_IS_INVALID]}
    return request.filters, {}


def _prices(entries: Sequence[Mapping[str, Any]], dimensions: Dimensions) -> dict[str, Any]:
    """The properties by group, of those entries that stand for one."""
    read = [(schema.examine(ChargeFilterInput, entry)[0], entry) for entry in entries]
    named = [(dimensions.group_id(request.values), entry) for request, entry in read if request is not None]
    return {group_id: entry.get("properties") for group_id, entry in named if group_id is not None}


class FilterBuilder:
    """Builds filters of a charge from the entries of a request."""

    def __init__(
        self, before: Sequence[ChargeFilter], dimensions: Dimensions, model: str, *, same_metric: bool
    ) -> None:
        self._before = before
        self._dimensions = dimensions
        self._model = model
        self._same_metric = same_metric

    def filters(self, entries: Sequence[Mapping[str, Any]]) -> tuple[tuple[ChargeFilter, ...], Findings]:
        """The filters, those before first, and what is wrong with the entries."""
        read = [schema.examine(ChargeFilterInput, entry) for entry in entries]
        findings = merge(*(wrong for _, wrong in read))
        requests = [request for request, _ in read if request is not None]
        made = [self._made(request, old) for request, old in zip(requests, self._olds(requests), strict=True)]
        findings = merge(findings, *(wrong for _, wrong in made))
        if findings:
            return (), findings
        kept = {f.id: f for f, _ in made}
        known = {f.id for f in self._before}
        fresh = [f for f, _ in made if f.id not in known]
        return (*(kept[f.id] for f in self._before if f.id in kept), *fresh), {}

    def _olds(self, requests: Sequence[ChargeFilterInput]) -> list[ChargeFilter | None]:
        """The filter before that each request stands for: that of its id, else the oldest with the same values."""
        ids = {f.parent_id: f.id for f in self._before if f.parent_id} | {f.id: f.id for f in self._before}
        left: dict[str, ChargeFilter] = {f.id: f for f in self._before}
        found = [left.pop(ids.get(request.id or "", ""), None) for request in requests]
        of_values: dict[Any, list[ChargeFilter]] = {}
        for f in left.values():
            of_values.setdefault(canonical(f.values), []).append(f)
        for index, request in enumerate(requests):
            alike = of_values.get(canonical(request.values))
            if found[index] is None and alike:
                found[index] = alike.pop(0)
        return found

    def _made(self, request: ChargeFilterInput, old: ChargeFilter | None) -> tuple[ChargeFilter, Findings]:
        properties, wrong = checked_usage_properties(self._model, request.properties)
        if not request.properties and self._model != ChargeModel.DYNAMIC:
            wrong = {"properties": [ErrorCode.VALUE_IS_MANDATORY]}
        # Values that the metric does not list any more may stay, but not come.
        same = old is not None and canonical(old.values) == canonical(request.values)
        if not (same and self._same_metric) and not self._dimensions.allow(request.values):
            wrong = merge(wrong, {"values": [ErrorCode.VALUE_IS_INVALID]})
        made = ChargeFilter(
            id=old.id if old else new_id(),
            invoice_display_name=request.invoice_display_name,
            properties=properties,
            values=request.values,
            group_id=self._dimensions.group_id(request.values) or (old.group_id if old and same else None),
            parent_id=old.parent_id if old else None,
        )
        return made, wrong


def _entry(charge_filter: ChargeFilter) -> dict[str, Any]:
    """A filter as a request would name it."""
    return charge_filter.model_dump(include={"id", "invoice_display_name", "properties", "values"})
