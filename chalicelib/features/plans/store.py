"""Storage of plans, each with its charges and fixed charges in one item.

Items
    pk                              sk                                  what it is
    <org>#plan#<id> ...             -                                   platform/collection.py; children: no code, not listed
    <org>#plan-children#<plan id>   <child id>                          a plan that overrides this one for a subscription
    <org>#plan-cascade#<id>         <version>#before, #after            a change on its way to the children, as two plans

Access patterns
    1 PLANS.*                                   platform/collection.py
    2 taken_action(plan)                        Update    the plan has a subscription; part of the subscription's transaction
    3 current_action(plan)                      Check     the plan stands as it was read; the same
    4 children_ids(org, id)                     Query     consistent
    5 child_actions(org, child)                 part of the transaction that makes the child
    6 step_actions(before, after)               part of the plan's own transaction
    7 steps(org, id, until)                     Query     consistent, the oldest first
    8 step_done_actions(after)                  part of the cascade's last transaction
    9 first(org, most)                          Query     index list: all live ones, where one request gives them
"""

from collections.abc import Iterator

from chalicelib.features.plans.records import Plan
from chalicelib.platform import rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection, RecordRow
from chalicelib.platform.ids import (
    OrganizationId,
    key,
)
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class PlanRow(CatalogRow):
    """A plan."""

    record = RecordAttribute(Plan)


class ChildRow(Row):
    """A plan that overrides another for a subscription; its sort key is the child's id."""


class StepRow(RecordRow):
    """A plan before or after a change on its way to the children."""

    record = RecordAttribute(Plan)


PLANS = Collection(
    "plan",
    Plan,
    PlanRow,
    code=lambda plan: None if plan.parent_id else plan.code,
    search=lambda plan: f"{plan.name}\n{plan.code}",
    listed=lambda plan: plan.parent_id is None,
)


def first(organization_id: OrganizationId, *, most: int) -> list[Plan] | None:
    """All live plans, from the index of the list; None where they are more than `most`, or than one request gives."""
    page = rows.page(key(organization_id, PLANS.name), index="list", limit=most)
    return None if page.position is not None else [PlanRow.read(item).value for item in page.items]


def taken_action(organization_id: OrganizationId, plan: Plan) -> list[Write]:
    """Mark a plan as in use; nothing to write when it is already. Refused if the plan is gone or has changed."""
    if plan.taken:
        return []
    taken = PlanRow.change(
        PLANS.key(organization_id, plan.id),
        rows.field("taken").set(True),
        PlanRow.version.set(plan.version + 1),
        condition=PlanRow.version == plan.version,
    )
    return [taken]


def current_action(organization_id: OrganizationId, plan: Plan) -> Write:
    """Refuse the transaction if the plan has changed since it was read. For transactions that copy the plan, where
    `taken_action` (which checks the same) has nothing to write."""
    return PlanRow.check(PLANS.key(organization_id, plan.id), PlanRow.version == plan.version)


def children_ids(organization_id: OrganizationId, parent_id: str) -> list[str]:
    """The ids of the plans that override a plan, read consistently."""
    return [row.sk for row in ChildRow.select(_children(organization_id, parent_id))]


def child_actions(organization_id: OrganizationId, child: Plan) -> list[Write]:
    """Enter a child under its parent."""
    assert child.parent_id is not None, "only a child has a parent"
    return [ChildRow(pk=_children(organization_id, child.parent_id), sk=child.id).put()]


def step_actions(organization_id: OrganizationId, before: Plan, after: Plan) -> list[Write]:
    """Keep a change for the children; `after` has the version that it is written with."""
    pk = _steps(organization_id, after.id)
    return [
        StepRow(pk=pk, sk=_step(after.version, half), version=plan.version, record=plan).put()
        for half, plan in {"before": before, "after": after}.items()
    ]


def steps(organization_id: OrganizationId, parent_id: str, *, until: int) -> Iterator[tuple[Plan, Plan]]:
    """The changes on their way to a plan's children, up to a version: (before, after), the oldest first."""
    after: Plan | None = None
    within = StepRow.sk.between("0", _step(until, "before"))
    for row in StepRow.select(_steps(organization_id, parent_id), within=within):
        plan = row.value
        if row.sk.endswith("#after"):  # Sorts before its `before`.
            after = plan
        else:
            assert after is not None, "both halves are written together"
            yield plan, after


def step_done_actions(organization_id: OrganizationId, after: Plan) -> list[Write]:
    """Forget a change that all children have."""
    pk = _steps(organization_id, after.id)
    return [StepRow.remove_key((pk, _step(after.version, half))) for half in ("before", "after")]


def _steps(organization_id: OrganizationId, parent_id: str) -> str:
    return key(organization_id, "plan-cascade", parent_id)


def _step(version: int, half: str) -> str:
    return f"{version:010d}#{half}"


def _children(organization_id: OrganizationId, parent_id: str) -> str:
    return key(organization_id, "plan-children", parent_id)
