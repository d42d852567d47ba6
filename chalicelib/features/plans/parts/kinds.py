"""Adding, changing and removing single parts of a plan: each is a change of the plan.

The plan is read, changed and written conditionally; each use case returns the plan, the part, and the tasks to
push. Source: rules/catalog 11.1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.plans import active_parts, changes, schemas, serializer
from chalicelib.features.plans.parts import charges, fixed_charges
from chalicelib.features.plans.records import Charge, FixedCharge, Plan
from chalicelib.platform import listing, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId

P = TypeVar("P", bound=Charge | FixedCharge)


@dataclass(frozen=True, slots=True)
class PartKind(Generic[P]):
    """A kind of part: `root` names it in bodies, `plural` in paths and in the plan's own field. `live` and `show_all`:
    the parts of a plan that count, as they are kept and as the API shows them."""

    root: str
    plural: str
    build: Callable[..., tuple[tuple[P, ...], dict[str, list[str]]]]
    live: Callable[[OrganizationId, Plan], list[P]]
    show_all: Callable[[OrganizationId, Plan], list[dict[str, Any]]]

    def show(self, organization_id: OrganizationId, plan: Plan, part: P) -> dict[str, Any]:
        """One part of a plan as the API shows it."""
        return next(shown for shown in self.show_all(organization_id, plan) if shown["lago_id"] == part.id)

    def listed(self, organization_id: OrganizationId, plan: Plan, page: listing.Wanted) -> dict[str, Any]:
        """A page of a plan's parts, the newest first."""
        shown = self.show_all(organization_id, plan)
        shown.sort(key=lambda part: (part["created_at"], part["lago_id"]), reverse=True)
        first = (page.number - 1) * page.size
        return {self.plural: shown[first : first + page.size], "meta": listing.meta(page, len(shown))}

    def find(self, organization_id: OrganizationId, plan: Plan, code: str) -> P:
        """The part of a code.

        Raises: NotFound.
        """
        found = next((part for part in self.live(organization_id, plan) if part.code == code), None)
        if found is None:
            raise NotFound(self.root)
        return found

    def add(self, call: Call, plan: Plan, values: Mapping[str, Any]) -> tuple[Plan, P, list[Task]]:
        """Add a part.

        Raises: Invalid; NotFound for what it refers to; ChangedMeanwhile.
        """
        own: tuple[P, ...] = getattr(plan, self.plural)
        entry = {name: value for name, value in values.items() if name != "id"}
        part = self._built(call, entry, before=(), beside=own, fixed=False)
        written, tasks = self._write(call, plan, [*own, part], values)
        return written, part, tasks

    def change(self, call: Call, plan: Plan, code: str, values: Mapping[str, Any]) -> tuple[Plan, P, list[Task]]:
        """Change the fields present; changes of fields that are fixed by now are ignored silently.

        Raises: Invalid; NotFound, also for what it refers to; ChangedMeanwhile.
        """
        own: tuple[P, ...] = getattr(plan, self.plural)
        old = self.find(call.organization.id, plan, code)
        beside = [part for part in own if part.id != old.id]
        part = self._built(call, {**values, "id": old.id}, before=(old,), beside=beside, fixed=plan.taken)
        after = [part if each.id == old.id else each for each in own]
        written, tasks = self._write(call, plan, after, values)
        return written, part, tasks

    def remove(self, call: Call, plan: Plan, code: str, values: Mapping[str, Any]) -> list[Task]:
        """Take a part out of the plan.

        Raises: Invalid; NotFound; ChangedMeanwhile.
        """
        old = self.find(call.organization.id, plan, code)
        own: tuple[P, ...] = getattr(plan, self.plural)
        after = [part for part in own if part.id != old.id]
        return self._write(call, plan, after, values)[1]

    def _built(
        self, call: Call, entry: Mapping[str, Any], *, before: Sequence[P], beside: Sequence[P], fixed: bool
    ) -> P:
        built, findings = self.build(
            call.organization.id, [entry], before=before, beside=beside, fixed=fixed, now=call.now
        )
        if findings:
            raise Invalid(findings)
        return built[0]

    def _write(self, call: Call, plan: Plan, after: Sequence[P], values: Mapping[str, Any]) -> tuple[Plan, list[Task]]:
        request = schema.parse(schemas.Cascade, values)
        new = plan.changed(now=call.now, **{self.plural: tuple(after)})
        return changes.replace(call.organization, plan, new, cascade=bool(request.cascade_updates), now=call.now)


def _live_charges(organization_id: OrganizationId, plan: Plan) -> list[Charge]:
    return [charge for charge, _ in active_parts.live_charges(plan, active_parts.metrics_of(organization_id, [plan]))]


def _live_fixed_charges(organization_id: OrganizationId, plan: Plan) -> list[FixedCharge]:
    return [
        charge for charge, _ in active_parts.live_fixed_charges(plan, active_parts.add_ons_of(organization_id, [plan]))
    ]


CHARGES = PartKind(
    root="charge",
    plural="charges",
    build=charges.build,
    live=_live_charges,
    show_all=lambda organization_id, plan: serializer.show_charges(
        plan, serializer.PlanReferences.of(organization_id, [plan])
    ),
)
FIXED_CHARGES = PartKind(
    root="fixed_charge",
    plural="fixed_charges",
    build=fixed_charges.build,
    live=_live_fixed_charges,
    show_all=lambda organization_id, plan: serializer.show_fixed_charges(
        plan, serializer.PlanReferences.of(organization_id, [plan])
    ),
)


# Metadata.


def replace_metadata(call: Call, plan: Plan, pairs: Any) -> tuple[Plan, list[Task]]:
    """These pairs instead of those before.

    Raises: Invalid; ChangedMeanwhile.
    """
    request = schema.parse(schemas.MetadataInput, {"metadata": pairs})
    new = plan.changed(now=call.now, metadata=dict(request.metadata))
    return changes.replace(call.organization, plan, new, cascade=False, now=call.now)


def merge_metadata(call: Call, plan: Plan, pairs: Mapping[str, Any]) -> tuple[Plan, list[Task]]:
    """These pairs beside those of other keys.

    Raises: Invalid; ChangedMeanwhile.
    """
    return replace_metadata(call, plan, plan.metadata | dict(pairs))


def remove_metadata(call: Call, plan: Plan, name: str | None = None) -> tuple[Plan, list[Task]]:
    """Without the pair of this key; without any, when none is named.

    Raises: NotFound, where there is nothing to remove; ChangedMeanwhile.
    """
    if not plan.metadata or (name is not None and name not in plan.metadata):
        raise NotFound(Resource.METADATA)
    left = {} if name is None else {key: value for key, value in plan.metadata.items() if key != name}
    return replace_metadata(call, plan, left)
