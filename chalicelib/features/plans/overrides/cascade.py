"""Cascade of a plan's change to a child. Source: rules/catalog 2.1.

A value of the child that equals the plan's old value follows the change. A value that the child's subscription has
overridden stays. Charges, their filters and fixed charges are matched by the parent's ids; added ones are added,
removed ones go.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from chalicelib.features.billable_metrics.groups import canonical
from chalicelib.features.plans.overrides import children
from chalicelib.features.plans.parts import codes
from chalicelib.features.plans.records import Charge, ChargeFilter, FixedCharge, MinimumCommitment, Plan

_PLAN = (
    "amount_cents",
    "amount_currency",
    "name",
    "invoice_display_name",
    "description",
    "trial_period",
    "tax_ids",
    "metadata",
)
_CHARGE = (
    "code",
    "metric_id",
    "charge_model",
    "properties",
    "default_fee",
    "pay_in_advance",
    "invoiceable",
    "regroup_paid_fees",
    "prorated",
    "min_amount_cents",
    "invoice_display_name",
    "tax_ids",
)
_FILTER = ("invoice_display_name", "properties", "values", "group_id")
_FIXED_CHARGE = (
    "code",
    "add_on_id",
    "charge_model",
    "properties",
    "units",
    "pay_in_advance",
    "prorated",
    "invoice_display_name",
    "tax_ids",
)
_COMMITMENT = ("amount_cents", "invoice_display_name", "tax_ids")

P = TypeVar("P", Charge, FixedCharge)


def followed(child: Plan, before: Plan, after: Plan, *, now: datetime) -> Plan:
    """The child once it has followed its parent from `before` to `after`."""
    values = _moved(child, before, after, _PLAN)
    values["charges"] = _parts(child.charges, before.charges, after.charges, _charge, children.charge_copy)
    values["fixed_charges"] = _parts(
        child.fixed_charges, before.fixed_charges, after.fixed_charges, _fixed_charge, children.fixed_charge_copy
    )
    values["minimum_commitment"] = _commitment(
        child.minimum_commitment, before.minimum_commitment, after.minimum_commitment, now=now
    )
    new: Plan = child.changed(now=now, **values, parent_version=after.version)
    return new


def _moved(own: BaseModel, before: BaseModel, after: BaseModel, names: Sequence[str]) -> dict[str, Any]:
    """The new values of those fields that changed and that `own` has not changed itself."""
    return {
        name: getattr(after, name)
        for name in names
        if getattr(before, name) != getattr(after, name) and getattr(own, name) == getattr(before, name)
    }


def _parts(
    own: Sequence[P],
    before: Sequence[P],
    after: Sequence[P],
    follow: Callable[[P, P, P], P],
    copy: Callable[[P], P],
) -> tuple[P, ...]:
    old_parts: dict[str, P] = {part.id: part for part in before}
    new_parts: dict[str, P] = {part.id: part for part in after}
    kept: list[P] = []
    for part in own:
        old, new = old_parts.get(str(part.parent_id)), new_parts.get(str(part.parent_id))
        if old is None:
            kept.append(part)  # It left the parent before, at a time when that was not passed on.
        elif new is not None:
            kept.append(follow(part, old, new))
    known = {part.parent_id for part in own}
    taken = {part.code for part in kept}
    for part in after:
        if part.id not in old_parts and part.id not in known:
            code = codes.free(part.code, taken)
            taken.add(code)
            kept.append(copy(part).model_copy(update={"code": code}))
    return tuple(kept)


def _charge(own: Charge, before: Charge, after: Charge) -> Charge:
    values = _moved(own, before, after, _CHARGE)
    if "charge_model" in values:  # Properties of another model would make no sense.
        values |= {"properties": after.properties, "default_fee": after.default_fee}
    if values.keys() & {"charge_model", "metric_id"}:  # Nor would filters, whose values are the metric's.
        values["filters"] = children.filter_copies(after.filters, own.filters)
    else:
        values["filters"] = _filters(own.filters, before.filters, after.filters)
    return own.model_copy(update=values)


def _filters(
    own: Sequence[ChargeFilter], before: Sequence[ChargeFilter], after: Sequence[ChargeFilter]
) -> tuple[ChargeFilter, ...]:
    """Filters follow one by one, as charges do; an added one only where the child has none of its own for these values."""
    old_parts: dict[str, ChargeFilter] = {f.id: f for f in before}
    new_parts: dict[str, ChargeFilter] = {f.id: f for f in after}
    kept: list[ChargeFilter] = []
    for each in own:
        old, new = old_parts.get(str(each.parent_id)), new_parts.get(str(each.parent_id))
        if old is None:
            kept.append(each)
        elif new is not None:
            kept.append(each.model_copy(update=_moved(each, old, new, _FILTER)))
    known = {f.parent_id for f in own}
    taken = {canonical(f.values) for f in kept}
    new_ones = [f for f in after if f.id not in old_parts and f.id not in known]
    added = [f for f in new_ones if canonical(f.values) not in taken]
    return (*kept, *children.filter_copies(added))


def _fixed_charge(own: FixedCharge, before: FixedCharge, after: FixedCharge) -> FixedCharge:
    values = _moved(own, before, after, _FIXED_CHARGE)
    if "charge_model" in values:
        values["properties"] = after.properties
    if "units" in values:
        values["changes"] = (*own.changes, *after.changes[len(before.changes) :])
    return own.model_copy(update=values)


def _commitment(
    own: MinimumCommitment | None,
    before: MinimumCommitment | None,
    after: MinimumCommitment | None,
    *,
    now: datetime,
) -> MinimumCommitment | None:
    if before is None:
        return own or children.commitment_copy(after, now=now)
    if own is None:
        return None  # The subscription has none of its own accord.
    if after is None:
        untouched = all(getattr(own, name) == getattr(before, name) for name in _COMMITMENT)
        return None if untouched else own
    values = _moved(own, before, after, _COMMITMENT)
    return own.model_copy(update={**values, "updated_at": now}) if values else own
