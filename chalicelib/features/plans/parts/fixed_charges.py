"""Building a plan's fixed charges from a request. Source: rules/billing-periods 11."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound, merge
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.plans.parts import building
from chalicelib.features.plans.parts.building import CodeAllocator
from chalicelib.features.plans.parts.properties import checked_properties
from chalicelib.features.plans.records import FixedCharge, UnitsChange
from chalicelib.features.plans.schemas import FixedChargeInput
from chalicelib.platform import schema
from chalicelib.platform.ids import OrganizationId

# Fields that decide how a fixed charge is computed: fixed once a subscription has taken the plan.
FIXED_WHEN_TAKEN = ("charge_model", "pay_in_advance", "prorated", "code", "add_on_id", "add_on_code")


def build(
    organization_id: OrganizationId,
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
    olds = building.olds_of(raw, before)
    entries = [_completed(entry, old, fixed=fixed) for entry, old in zip(raw, olds, strict=True)]
    used = _add_ons(organization_id, entries)
    accepting = CodeAllocator((*beside, *olds))
    built: list[FixedCharge] = []
    for entry, old, add_on in zip(entries, olds, used, strict=True):
        request, wrong = schema.examine(FixedChargeInput, entry)
        if request is None:
            accepting.refuse(wrong)
            continue
        properties, wrong_properties = checked_properties(request.charge_model, request.properties)
        code = accepting.code(request.code, add_on.code, old, merge(_combination(request), wrong_properties))
        if code is None:
            continue
        charge = FixedCharge(
            add_on_id=add_on.id,
            units=request.units,
            first_units=old.first_units if old else request.units,
            changes=_changes(request, old, now=now),
            **building.common_fields(organization_id, request, old, code=code, properties=properties, now=now),
        )
        built.append(charge)
    return tuple(built), accepting.findings


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


def _add_ons(organization_id: OrganizationId, entries: Sequence[Mapping[str, Any]]) -> list[AddOn]:
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
        raise NotFound(Resource.ADD_ON)
    return live


def _combination(request: FixedChargeInput) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if request.pay_in_advance and request.charge_model == "volume":
        found["pay_in_advance"] = [ErrorCode.INVALID_CHARGE_MODEL]
    if request.pay_in_advance and request.prorated and request.charge_model == "graduated":
        found["prorated"] = [ErrorCode.INVALID_CHARGE_MODEL]
    return found


def _changes(request: FixedChargeInput, old: FixedCharge | None, *, now: datetime) -> tuple[UnitsChange, ...]:
    if old is None:
        return ()
    if request.units == old.units:
        return old.changes
    return (*old.changes, UnitsChange(units=request.units, at=now, immediately=request.apply_units_immediately))
