"""Building a plan's charges from a request."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound, merge
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.plans.parts import building, charge_filters
from chalicelib.features.plans.parts.building import CodeAllocator
from chalicelib.features.plans.parts.charge_filters import FilterPatch
from chalicelib.features.plans.parts.properties import checked_usage_properties
from chalicelib.features.plans.records import Charge, ChargeFilter
from chalicelib.features.plans.schemas import ChargeInput
from chalicelib.platform import schema
from chalicelib.platform.ids import OrganizationId

# Fields that decide how a charge is computed: fixed once a subscription has taken the plan. Source: rules/catalog 2.
FIXED_WHEN_TAKEN = (
    "charge_model",
    "pay_in_advance",
    "prorated",
    "invoiceable",
    "min_amount_cents",
    "code",
    "billable_metric_id",
)
# The models that price the days for which units were held. Source: rules/usage 5.
_PRORATED = (ChargeModel.STANDARD, ChargeModel.GRADUATED, ChargeModel.VOLUME)


def build(
    organization_id: OrganizationId,
    raw: Sequence[Mapping[str, Any]],
    *,
    before: Sequence[Charge],
    beside: Sequence[Charge] = (),
    fixed: bool,
    now: datetime,
) -> tuple[tuple[Charge, ...], dict[str, list[str]]]:
    """The charges that a request describes, and what is wrong with it. Entries with an `id` of `before` change that
    charge; `beside` are charges of the plan that stay whatever the request says.

    Raises: NotFound, for metrics or taxes that do not exist.
    """
    olds = building.olds_of(raw, before)
    entries = [_completed(entry, old, fixed=fixed) for entry, old in zip(raw, olds, strict=True)]
    found = metrics.by_ids(organization_id, [str(entry.get("billable_metric_id") or "-") for entry in entries])
    accepting = CodeAllocator((*beside, *olds))
    built: list[Charge] = []
    for given, entry, old in zip(raw, entries, olds, strict=True):
        metric = found.get(str(entry.get("billable_metric_id") or "-"))
        if metric is None or metric.deleted_at is not None:
            raise NotFound(Resource.BILLABLE_METRICS)
        request, wrong = schema.examine(ChargeInput, _prorated(entry, metric, old))
        if request is None:
            accepting.refuse(wrong)
            continue
        properties, wrong_properties = checked_usage_properties(request.charge_model, request.properties)
        filters, wrong_filters = charge_filters.build(request, metric, old)
        wrong = merge(_combination(request, metric), wrong_properties, wrong_filters)
        code = accepting.code(request.code, metric.code, old, wrong)
        if code is None:
            continue
        charge = Charge(
            metric_id=metric.id,
            filters=filters,
            default_fee=_has_default_fee(given, request, filters, old),
            invoiceable=request.invoiceable,
            regroup_paid_fees=request.regroup_paid_fees,
            min_amount_cents=request.min_amount_cents or 0,
            **building.common_fields(organization_id, request, old, code=code, properties=properties, now=now),
        )
        built.append(charge)
    return tuple(built), accepting.findings


def _completed(entry: Mapping[str, Any], old: Charge | None, *, fixed: bool) -> dict[str, Any]:
    """An entry that changes a charge keeps what it does not name, and what is fixed by now."""
    if old is None:
        return {name: value for name, value in entry.items() if name != "id"}
    before = old.model_dump(mode="json", exclude={"filters", "tax_ids", "metric_id", "id"})
    before |= {"billable_metric_id": old.metric_id, "id": old.id}
    if not old.default_fee:
        before["properties"] = {}  # None were given: the defaults of its model.
    changes = {name: value for name, value in entry.items() if not (fixed and name in FIXED_WHEN_TAKEN)}
    if isinstance(entry.get("filters"), FilterPatch):
        changes["filters"] = entry["filters"].entries(old.filters)
    return before | changes | {"id": old.id}


def _prorated(entry: Mapping[str, Any], metric: Metric, old: Charge | None) -> Mapping[str, Any]:
    """The legacy API's recurring counts are prorated without saying so. Source: rules/usage 3."""
    unsaid = old is None and metric.seed_type is not None and entry.get("prorated") is None
    return {**entry, "prorated": True} if unsaid and entry.get("charge_model") in _PRORATED else entry


def _has_default_fee(
    given: Mapping[str, Any], request: ChargeInput, filters: Sequence[ChargeFilter], old: Charge | None
) -> bool:
    """Whether usage that no filter takes is billed: not where only groups of the legacy API were given a price.

    Source: rules/usage 4.3.
    """
    if given.get("properties") or not filters:
        return True
    return not request.group_properties if old is None else old.default_fee


def _combination(request: ChargeInput, metric: Metric) -> dict[str, list[str]]:
    found = charge_properties.check_combination(
        model=request.charge_model,
        aggregation_type=metric.aggregation_type,
        recurring=metric.recurring,
        pay_in_advance=request.pay_in_advance,
        prorated=request.prorated,
        invoiceable=request.invoiceable,
        regroup_paid_fees=request.regroup_paid_fees,
        min_amount_cents=request.min_amount_cents or 0,
    )
    if request.pay_in_advance and metric.seed_type is not None:
        found = merge(found, {"pay_in_advance": [ErrorCode.INVALID_AGGREGATION_TYPE_OR_CHARGE_MODEL]})
    return dict(found)
