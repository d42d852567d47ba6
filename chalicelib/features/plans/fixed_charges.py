"""Building a plan's fixed charges from a request. Source: billing-periods.md section 11."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.errors import NotFound, merge
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.add_ons.store import AddOn
from chalicelib.features.plans import codes
from chalicelib.features.plans.charges import checked_properties
from chalicelib.features.plans.schemas import FixedChargeInput
from chalicelib.features.plans.store import FixedCharge, UnitsChange
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.ids import new_id

# What decides how a fixed charge is computed: fixed once a subscription has taken the plan.
FIXED_WHEN_TAKEN = ("charge_model", "pay_in_advance", "prorated", "code", "add_on_id", "add_on_code")


def build(
    organization_id: str,
    raw: Sequence[Mapping[str, Any]],
    *,
    before: Sequence[FixedCharge],
    beside: Sequence[FixedCharge] = (),
    fixed: bool,
    now: datetime,
) -> tuple[tuple[FixedCharge, ...], dict[str, list[str]]]:
    """The fixed charges that a request describes, and what is wrong with it. Entries with an `id` of `before` change that
    one; `beside` are fixed charges of the plan that stay whatever the request says.

    Raises: NotFound, for add-ons or taxes that do not exist.
    """
    known = {charge.id: charge for charge in before}
    olds = [known.pop(str(entry.get("id")), None) for entry in raw]  # A second entry of an id is a new one.
    entries = [_completed(entry, old, fixed=fixed) for entry, old in zip(raw, olds, strict=True)]
    used = _add_ons(organization_id, entries)
    taken = {charge.code for charge in (*beside, *(old for old in olds if old))}
    built: list[FixedCharge] = []
    findings: dict[str, list[str]] = {}
    for entry, old, add_on in zip(entries, olds, used, strict=True):
        request, wrong = schema.examine(FixedChargeInput, entry)
        if request is None:
            findings = merge(findings, wrong)
            continue
        parsed, wrong_properties = checked_properties(request.charge_model, request.properties)
        wrong = merge(_combination(request), wrong_properties)
        code = codes.chosen(request.code, add_on.code, taken, old.code if old else None)
        if code is None:
            wrong = merge(wrong, {"code": ["value_already_exist"]})
        if wrong or code is None:
            findings = merge(findings, wrong)
            continue
        taken.add(code)
        built.append(_fixed_charge(organization_id, request, add_on, parsed, old, code=code, now=now))
    return tuple(built), findings


def _completed(entry: Mapping[str, Any], old: FixedCharge | None, *, fixed: bool) -> dict[str, Any]:
    """An entry that changes a fixed charge keeps what it does not name, and what is fixed by now."""
    if old is None:
        return {name: value for name, value in entry.items() if name != "id"}
    names = {"code", "charge_model", "properties", "units", "pay_in_advance", "prorated", "invoice_display_name"}
    before = old.model_dump(mode="json", include=names)
    changes = {name: value for name, value in entry.items() if not (fixed and name in FIXED_WHEN_TAKEN)}
    if not (changes.get("add_on_id") or changes.get("add_on_code")):
        changes["add_on_id"] = old.add_on_id
    return before | changes | {"id": old.id}


def _add_ons(organization_id: str, entries: Sequence[Mapping[str, Any]]) -> list[AddOn]:
    """The add-on of each entry, by its id or else its code.

    Raises: NotFound, when one is unknown or deleted.
    """
    by_id = add_ons.by_ids(organization_id, [str(e["add_on_id"]) for e in entries if e.get("add_on_id")])
    wanted = [str(e["add_on_code"]) for e in entries if e.get("add_on_code") and not e.get("add_on_id")]
    by_code = add_ons.by_codes(organization_id, wanted)
    found = [
        by_id.get(str(e["add_on_id"])) if e.get("add_on_id") else by_code.get(str(e.get("add_on_code")))
        for e in entries
    ]
    live = [add_on for add_on in found if add_on is not None and add_on.deleted_at is None]
    if len(live) < len(found):
        raise NotFound("add_on")
    return live


def _combination(request: FixedChargeInput) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if request.pay_in_advance and request.charge_model == "volume":
        found["pay_in_advance"] = ["invalid_charge_model"]
    if request.pay_in_advance and request.prorated and request.charge_model == "graduated":
        found["prorated"] = ["invalid_charge_model"]
    return found


def _fixed_charge(
    organization_id: str,
    request: FixedChargeInput,
    add_on: AddOn,
    parsed: dict[str, Any],
    old: FixedCharge | None,
    *,
    code: str,
    now: datetime,
) -> FixedCharge:
    tax_ids = old.tax_ids if old else ()
    if "tax_codes" in request.model_fields_set:
        tax_ids = tuple(taxes.ids_of(organization_id, request.tax_codes))
    changes = old.changes if old else ()
    if old is not None and request.units != old.units:
        changes = (*changes, UnitsChange(units=request.units, at=now, immediately=request.apply_units_immediately))
    return FixedCharge(
        id=old.id if old else new_id(),
        created_at=old.created_at if old else now,
        parent_id=old.parent_id if old else None,
        code=code,
        add_on_id=add_on.id,
        charge_model=request.charge_model,
        properties=parsed,
        units=request.units,
        first_units=old.first_units if old else request.units,
        changes=changes,
        pay_in_advance=request.pay_in_advance,
        prorated=request.prorated,
        invoice_display_name=request.invoice_display_name,
        tax_ids=tax_ids,
    )
