"""A subscription's own plan: a child of the plan it was started with, which overrides some of its values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.features.plans import store as plan_store
from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.store import PLANS, Plan
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write


def create(
    organization_id: OrganizationId, parent: Plan, values: Mapping[str, Any], *, now: datetime
) -> tuple[Plan, list[Write]]:
    """A new child of `parent` with these values, and the actions that write it."""
    child = overrides.child(organization_id, parent, values, now=now)
    return child, _writing(organization_id, child, parent)


def override(
    organization_id: OrganizationId, plan: Plan, values: Mapping[str, Any], *, moves_trial: bool, now: datetime
) -> tuple[Plan, list[Write]]:
    """Give the plan of a running subscription other values: its own child is changed, or made where it has none.

    Returns the child and the actions that write it.
    """
    if plan.parent_id is not None:
        changed = overrides.changed(organization_id, plan, values, now=now, moves_trial=moves_trial)
        written = changed.model_copy(update={"version": plan.version + 1})
        return written, [PLANS.replace_action(organization_id, plan, changed)]
    blank = overrides.child(organization_id, plan, {}, now=now)
    child = overrides.changed(organization_id, blank, values, now=now, moves_trial=moves_trial)
    return child, _writing(organization_id, child, plan)


def _writing(organization_id: OrganizationId, child: Plan, parent: Plan) -> list[Write]:
    # A parent without subscriptions so far is marked as in use, which refuses as well if it has changed.
    unchanged = [plan_store.current_action(organization_id, parent)] if parent.taken else []
    return [*overrides.create_actions(organization_id, child), *unchanged]
