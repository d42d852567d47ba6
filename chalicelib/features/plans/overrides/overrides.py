"""Children of plans: overrides of a plan for one subscription. Source: rules/catalog 2.1.

A child is a plan of its own, with the parent's code, that nobody lists or finds by that code. Fields that cannot be
overridden (interval, pay_in_advance, charge models, ...) are ignored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from chalicelib.domain.errors import Invalid, NotFound, merge
from chalicelib.features.plans import changes, schemas, store
from chalicelib.features.plans.overrides import children
from chalicelib.features.plans.parts import charges, commitments, fixed_charges
from chalicelib.features.plans.records import Charge, FixedCharge, Plan
from chalicelib.features.plans.store import PLANS
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.ids import OrganizationId, PlanId, new_id
from chalicelib.platform.unit import Write

_SCALARS = (
    "amount_cents",
    "amount_currency",
    "name",
    "invoice_display_name",
    "description",
    "trial_period",
    "metadata",
)
# A running subscription's amounts stay of one kind, and its trial where it is over. Source: rules/catalog 2.
_FIXED_WHEN_RUNNING = frozenset({"amount_currency", "trial_period"})
_OTHERS = ("tax_codes", "charges", "fixed_charges", "minimum_commitment", "usage_thresholds")
_CHARGE = ("properties", "min_amount_cents", "invoice_display_name", "tax_codes", "filters", "group_properties")
_FIXED_CHARGE = ("units", "apply_units_immediately", "properties", "invoice_display_name", "tax_codes")

P = TypeVar("P", bound=Charge | FixedCharge)


def child(organization_id: OrganizationId, parent: Plan, values: Mapping[str, Any], *, now: datetime) -> Plan:
    """A new child of a plan with these overrides, not yet written, for a subscription that is about to start: units
    that it overrides hold from its start. For one that runs, make a child without overrides and give them to `changed`.

    Raises: Invalid, with all findings; NotFound for an unknown charge, fixed charge or tax.
    """
    own = {
        "id": new_id(),
        "created_at": now,
        "updated_at": now,
        "version": 0,
        "taken": True,
        "parent_id": parent.id,
        "parent_version": parent.version,
        "charges": tuple(children.charge_copy(charge) for charge in parent.charges),
        "fixed_charges": tuple(children.fixed_charge_copy(charge) for charge in parent.fixed_charges),
        "minimum_commitment": children.commitment_copy(parent.minimum_commitment, now=now),
    }
    copy = parent.model_copy(update=own)
    made = _with(organization_id, copy, values, now=now)
    before = {charge.id: charge for charge in copy.fixed_charges}
    fresh = tuple(
        charge
        if charge.units == before[charge.id].units
        else charge.model_copy(update={"first_units": charge.units, "changes": ()})
        for charge in made.fixed_charges
    )
    return made.model_copy(update={"fixed_charges": fresh})


def changed(
    organization_id: OrganizationId, child: Plan, values: Mapping[str, Any], *, now: datetime, moves_trial: bool = False
) -> Plan:
    """A child with further overrides, not yet written; other values stay. Changed units are remembered with
    `apply_units_immediately`; the currency is fixed by now and ignored, and so is the trial unless it `moves_trial`.

    Raises: Invalid, with all findings; NotFound for an unknown charge, fixed charge or tax.
    """
    fixed = _FIXED_WHEN_RUNNING - ({"trial_period"} if moves_trial else set())
    still = {name: value for name, value in values.items() if name not in fixed}
    return _with(organization_id, child, still, now=now)


def create_actions(organization_id: OrganizationId, child: Plan) -> list[Write]:
    """The actions that store a new child: the record, its place under its parent, the lists of its metrics."""
    return [
        *PLANS.create_actions(organization_id, child),
        *store.child_actions(organization_id, child),
        *changes.usage_actions(organization_id, None, child),
    ]


def replace_action(organization_id: OrganizationId, old: Plan, new: Plan) -> Write:
    """Write a changed child over what was read; refused if somebody else wrote in between."""
    return PLANS.replace_action(organization_id, old, new)


def remove_children(organization_id: OrganizationId, parent_id: PlanId, *, now: datetime) -> Iterator[PlanId]:
    """Delete the children of a plan, one after the other; yields the id of each once it is gone. Idempotent."""
    for child_id in store.children_ids(organization_id, parent_id):
        child = PLANS.get(organization_id, child_id)
        if child is None:
            continue
        if child.deleted_at is None:
            PLANS.remove(organization_id, child, now=now, extra=changes.usage_actions(organization_id, child, None))
        yield child.id


def _with(organization_id: OrganizationId, plan: Plan, values: Mapping[str, Any], *, now: datetime) -> Plan:
    wanted = {name: values[name] for name in (*_SCALARS, *_OTHERS) if name in values}
    before = plan.model_dump(mode="json", include=set(schemas.PlanInput.model_fields) - set(_OTHERS))
    request, findings = schema.examine(schemas.PlanInput, before | wanted)
    own_charges, wrong_charges = _parts(
        wanted.get("charges"), plan.charges, _CHARGE, "charge", _builder(charges.build, organization_id, now)
    )
    own_fixed, wrong_fixed = _parts(
        wanted.get("fixed_charges"),
        plan.fixed_charges,
        _FIXED_CHARGE,
        "fixed_charge",
        _builder(fixed_charges.build, organization_id, now),
    )
    findings = merge(findings, wrong_charges, wrong_fixed)
    fields: dict[str, Any] = {"charges": own_charges, "fixed_charges": own_fixed}
    raw = wanted.get("minimum_commitment")
    if "minimum_commitment" in wanted and (raw is None or isinstance(raw, Mapping)):
        fields["minimum_commitment"], wrong = commitments.build(
            organization_id, raw, before=plan.minimum_commitment, now=now
        )
        findings = merge(findings, wrong)
    if request is None or findings:
        raise Invalid(findings)
    fields |= {name: getattr(request, name) for name in _SCALARS if name in wanted}
    if "tax_codes" in wanted:
        fields["tax_ids"] = tuple(taxes.ids_of(organization_id, request.tax_codes))
    new: Plan = plan.changed(now=now, **fields)
    changes.check_size(new)
    return new


_Built = tuple[tuple[P, ...], dict[str, list[str]]]


def _builder(
    build: Callable[..., _Built[P]], organization_id: OrganizationId, now: datetime
) -> Callable[..., _Built[P]]:
    def call(entries: Sequence[Mapping[str, Any]], before: Sequence[P], beside: Sequence[P]) -> _Built[P]:
        return build(organization_id, entries, before=before, beside=beside, fixed=False, now=now)

    return call


def _parts(
    raw: Any, own: Sequence[P], names: Sequence[str], resource: str, build: Callable[..., _Built[P]]
) -> _Built[P]:
    """The parts after their overrides. An entry names a part by its own id or by that of the parent's part."""
    if not isinstance(raw, list) or not all(isinstance(entry, Mapping) for entry in raw):
        return tuple(own), {}  # Nothing to override, or no list at all, which is reported elsewhere.
    by_id = {part.parent_id: part for part in own} | {part.id: part for part in own}
    entries: dict[str, dict[str, Any]] = {}
    for entry in raw:
        part = by_id.get(str(entry.get("id")))
        if part is None:
            raise NotFound(resource)
        overridden = {name: entry[name] for name in names if name in entry}
        entries[part.id] = entries.get(part.id, {}) | overridden | {"id": part.id}
    before = [part for part in own if part.id in entries]
    beside = [part for part in own if part.id not in entries]
    built, findings = build(list(entries.values()), before, beside)
    new = {part.id: part for part in built}
    return tuple(new.get(part.id, part) for part in own), findings
