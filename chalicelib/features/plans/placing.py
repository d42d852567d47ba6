"""The places of what is wrong with a plan's request: which of its parts, and which row in it, has each finding.

The API names fields of parts by their bare names (rules/catalog 3), which is enough for a client that sent one charge. A
form of many charges marks the very field. So each part is examined by itself, by the same rules as the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import NotFound
from chalicelib.features.plans import schemas
from chalicelib.features.plans.parts import charges, commitments, fixed_charges
from chalicelib.features.plans.parts.properties import checked_properties, checked_usage_properties
from chalicelib.features.plans.records import Plan
from chalicelib.platform import schema
from chalicelib.platform.ids import OrganizationId

Findings = dict[str, list[str]]
Check = Callable[[str, Mapping[str, Any]], tuple[dict[str, Any], Findings]]
# Where a form has a field of another name than the finding.
_FIELDS = {"billable_metric": "billable_metric_id"}
_MODELS = frozenset(ChargeModel)


def find(organization_id: OrganizationId, values: Mapping[str, Any], before: Plan | None, *, now: datetime) -> Findings:
    """Codes by path, such as `charges.1.properties.graduated_ranges.0.flat_amount`; empty where nothing is wrong with the
    request by itself. `before`: the plan that it changes."""
    found: Findings = dict(schema.examine(schemas.PlanInput, values)[1])
    context = _Context(organization_id, before, now)
    for number, entry in enumerate(values.get("charges") or []):
        found |= _below(f"charges.{number}", context.charge(entry))
    for number, entry in enumerate(values.get("fixed_charges") or []):
        found |= _below(f"fixed_charges.{number}", context.fixed_charge(entry))
    for group in ("charges", "fixed_charges"):
        _note_repeated_codes(found, group, values.get(group) or [])
    raw = values.get("minimum_commitment")
    if raw:
        old = before.minimum_commitment if before else None
        wrong = _refused(lambda: commitments.build(organization_id, raw, before=old, now=now)[1])
        found |= _below("minimum_commitment", wrong)
    return found


class _Context:
    """The examination of the parts of one plan."""

    def __init__(self, organization_id: OrganizationId, before: Plan | None, now: datetime) -> None:
        self._organization_id = organization_id
        self._before = before
        self._now = now

    def charge(self, entry: Mapping[str, Any]) -> Findings:
        """Findings in a charge, its filters included."""
        own = self._built(charges.build, self._before.charges if self._before else (), _without(entry, "filters"))
        found = {_FIELDS.get(name, name): codes for name, codes in own.items()}
        model = str(entry.get("charge_model"))
        found |= _below("properties", _of_properties(checked_usage_properties, model, entry.get("properties") or {}))
        for number, one in enumerate(entry.get("filters") or []):
            found |= _below(f"filters.{number}", self._filter(entry, one, own))
        return found

    def _filter(self, entry: Mapping[str, Any], one: Mapping[str, Any], own: Findings) -> Findings:
        """Findings in one filter. `own`: those of its charge without filters."""
        model, properties = str(entry.get("charge_model")), one.get("properties") or {}
        bare = {name: entry[name] for name in ("id", "billable_metric_id", "charge_model") if name in entry}
        before = self._before.charges if self._before else ()
        wrong = self._built(charges.build, before, {**bare, "filters": [{**one, "properties": {}}]})
        named = {"values", "invoice_display_name"} & wrong.keys()
        found = {name: wrong[name] for name in named if wrong[name] != own.get(name)}
        if properties:
            found |= _below("properties", _of_properties(checked_usage_properties, model, properties))
        elif "properties" in wrong:
            found["properties"] = wrong["properties"]
        return found

    def fixed_charge(self, entry: Mapping[str, Any]) -> Findings:
        """Findings in a fixed charge."""
        before = self._before.fixed_charges if self._before else ()
        found = self._built(fixed_charges.build, before, _without(entry, "properties"))
        model = str(entry.get("charge_model"))
        return found | _below("properties", _of_properties(checked_properties, model, entry.get("properties") or {}))

    def _built(self, build: Callable[..., Any], before: Sequence[Any], entry: Mapping[str, Any]) -> Findings:
        entry = _without(entry, "properties")
        fixed = bool(self._before and self._before.taken)
        built = lambda: build(self._organization_id, [entry], before=before, fixed=fixed, now=self._now)[1]  # noqa: E731
        return _refused(built)


def _of_properties(check: Check, model: str, given: Mapping[str, Any]) -> Findings:
    """Findings in the properties of a charge model, those of ranges by their row."""
    if model not in _MODELS or not given:
        return {}
    wrong = check(model, given)[1]
    lists = {name: rows for name, rows in given.items() if isinstance(rows, list) and name.endswith("_ranges")}
    if not lists:
        return wrong
    found = {name: codes for name, codes in wrong.items() if name in lists}
    for name, rows in lists.items():
        for number, row in enumerate(rows):
            # A row alone, as the only range there is, has wrong amounts or none.
            alone = {name: [{**row, "from_value": 0, "to_value": None}]}
            found |= _below(f"{name}.{number}", check(model, alone)[1])
    return found


def _refused(examine: Callable[[], Findings]) -> Findings:
    """The findings, or the field whose object does not exist."""
    try:
        return examine()
    except NotFound as error:
        field = {"billable_metrics_not_found": "billable_metric_id", "add_on_not_found": "add_on_id"}
        return {field.get(error.code, "tax_codes"): [error.code]}


def _note_repeated_codes(found: Findings, group: str, entries: Sequence[Mapping[str, Any]]) -> None:
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        code = entry.get("code")
        if code and code in seen:
            found.setdefault(f"{group}.{number}.code", []).append(ErrorCode.VALUE_ALREADY_EXIST)
        seen.add(str(code))


def _below(place: str, findings: Mapping[str, list[str]]) -> Findings:
    return {f"{place}.{name}": codes for name, codes in findings.items()}


def _without(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name}
