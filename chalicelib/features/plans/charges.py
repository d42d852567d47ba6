"""Building a plan's charges from a request."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.domain.charges import properties as charge_properties
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.errors import NotFound, merge
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.plans.schemas import ChargeInput
from chalicelib.features.plans.store import Charge
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.http import Call
from chalicelib.platform.ids import new_id

# What decides how a charge is computed: fixed once a subscription has taken the plan. Source: catalog.md section 2.
FIXED_WHEN_TAKEN = (
    "charge_model",
    "pay_in_advance",
    "prorated",
    "invoiceable",
    "min_amount_cents",
    "code",
    "billable_metric_id",
)


def build(
    call: Call, raw: Sequence[Mapping[str, Any]], *, before: Sequence[Charge], fixed: bool
) -> tuple[tuple[Charge, ...], dict[str, list[str]]]:
    """The charges that a request describes, and what is wrong with it. Entries with a known `id` change that charge.

    Raises: NotFound, for metrics or taxes that do not exist.
    """
    known = {charge.id: charge for charge in before}
    entries = [_completed(entry, known.get(str(entry.get("id"))), fixed=fixed) for entry in raw]
    found = metrics.by_ids(call.organization.id, [str(entry.get("billable_metric_id") or "-") for entry in entries])
    codes = {charge.code for charge in before}
    built: list[Charge] = []
    findings: dict[str, list[str]] = {}
    for entry in entries:
        metric = found.get(str(entry.get("billable_metric_id") or "-"))
        if metric is None or metric.deleted_at is not None:
            raise NotFound("billable_metrics")
        request, wrong = schema.examine(ChargeInput, entry)
        if request is None:
            findings = merge(findings, wrong)
            continue
        wrong = _combination(request, metric)
        parsed, wrong_properties = _properties(request)
        findings = merge(findings, wrong, wrong_properties)
        if wrong or wrong_properties:
            continue
        charge = _charge(call, request, metric, parsed, known.get(str(entry.get("id"))), codes)
        codes.add(charge.code)
        built.append(charge)
    return tuple(built), findings


def _completed(entry: Mapping[str, Any], old: Charge | None, *, fixed: bool) -> dict[str, Any]:
    """An entry that changes a charge keeps what it does not name, and what is fixed by now."""
    if old is None:
        return {name: value for name, value in entry.items() if name != "id"}
    before = old.model_dump(mode="json", exclude={"filters", "tax_ids", "metric_id", "id"})
    before |= {"billable_metric_id": old.metric_id, "id": old.id}
    changes = {name: value for name, value in entry.items() if not (fixed and name in FIXED_WHEN_TAKEN)}
    return before | changes | {"id": old.id}


def _properties(request: ChargeInput) -> tuple[dict[str, Any], dict[str, list[str]]]:
    model = ChargeModel(request.charge_model)
    given = request.properties or charge_properties.defaults(model)
    try:
        charge_properties.parse(model, given)
    except charge_properties.PropertyErrors as error:
        return {}, {name: list(codes) for name, codes in error.details.items()}
    return dict(given), {}


def _combination(request: ChargeInput, metric: Metric) -> dict[str, list[str]]:
    found = charge_properties.check_combination(
        model=ChargeModel(request.charge_model),
        aggregation_type=metric.aggregation_type,
        recurring=metric.recurring,
        pay_in_advance=request.pay_in_advance,
        prorated=request.prorated,
        invoiceable=request.invoiceable,
        regroup_paid_fees=request.regroup_paid_fees,
        min_amount_cents=request.min_amount_cents or 0,
    )
    # Charges in advance and spending minimums are not billed yet, so they are refused, not ignored.
    if request.pay_in_advance:
        found = merge(found, {"pay_in_advance": ["value_is_invalid"]})
    if request.min_amount_cents:
        found = merge(found, {"min_amount_cents": ["value_is_invalid"]})
    if request.prorated:
        found = merge(found, {"prorated": ["value_is_invalid"]})
    return dict(found)


def _charge(
    call: Call, request: ChargeInput, metric: Metric, parsed: dict[str, Any], old: Charge | None, codes: set[str]
) -> Charge:
    tax_ids = old.tax_ids if old else ()
    if "tax_codes" in request.model_fields_set:
        tax_ids = tuple(taxes.ids_of(call.organization.id, request.tax_codes))
    return Charge(
        id=old.id if old else new_id(),
        created_at=old.created_at if old else call.now,
        code=old.code if old and not request.code else _free_code(request.code or metric.code, codes, old),
        metric_id=metric.id,
        charge_model=request.charge_model,
        properties=parsed,
        pay_in_advance=request.pay_in_advance,
        invoiceable=request.invoiceable,
        regroup_paid_fees=request.regroup_paid_fees,
        prorated=request.prorated,
        min_amount_cents=request.min_amount_cents or 0,
        invoice_display_name=request.invoice_display_name,
        tax_ids=tax_ids,
    )


def _free_code(code: str, taken: set[str], old: Charge | None) -> str:
    """Codes are unique within a plan; a second charge of a metric gets a number."""
    if old is not None and old.code == code:
        return code
    number, free = 2, code
    while free in taken:
        free, number = f"{code}_{number}", number + 1
    return free
