"""`/subscriptions/:external_id/charges` and `/fixed_charges`: the parts of a subscription's plan, and changing one for it
alone."""

from typing import Any

from chalicelib.features.plans import parts
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.parts import PartKind
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions import service, store
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.test_clock import service as test_clock
from chalicelib.platform import listing
from chalicelib.platform.http import Call, Routes


def mount(routes: Routes) -> None:
    """Register all routes below a subscription."""
    _mount(routes, parts.CHARGES, "charge_code")
    _mount(routes, parts.FIXED_CHARGES, "fixed_charge_code")


def _mount(routes: Routes, kind: PartKind[Any], name: str) -> None:
    """The routes of a kind of part; `name` is that of its code in the path."""

    def index(call: Call) -> dict[str, Any]:
        _, plan = _found(call)
        shown = kind.show_all(call.organization.id, plan)
        shown.sort(key=lambda part: (part["created_at"], part["lago_id"]), reverse=True)
        page = listing.wanted(call)
        first = (page.number - 1) * page.size
        return {kind.plural: shown[first : first + page.size], "meta": listing.meta(page, len(shown))}

    def show(call: Call) -> dict[str, Any]:
        _, plan = _found(call)
        part = kind.find(call.organization.id, plan, call.path[name])
        return {kind.root: kind.show(call.organization.id, plan, part)}

    def update(call: Call) -> dict[str, Any]:
        subscription, plan = _found(call)
        part = kind.find(call.organization.id, plan, call.path[name])
        entry = {**call.root(kind.root), "id": part.id}
        written, tasks = service.update(
            call.organization,
            subscription.external_id,
            {"plan_overrides": {kind.plural: [entry]}},
            statuses=[subscription.status.value],
            now=call.now,
        )
        test_clock.settle(call.organization, now=call.now, tasks=tasks)
        own = plans.by_ids(call.organization.id, [written.plan_id])[written.plan_id]
        return {kind.root: kind.show(call.organization.id, own, kind.find(call.organization.id, own, part.code))}

    path = f"/subscriptions/{{external_id}}/{kind.plural}"
    routes.get(path)(index)
    routes.get(f"{path}/{{{name}}}")(show)
    routes.put(f"{path}/{{{name}}}")(update)


def _found(call: Call) -> tuple[Subscription, Plan]:
    wanted = store.statuses(call.many("status", "subscription_status"))
    subscription = service.find(call.organization.id, call.path["external_id"], wanted)
    return subscription, plans.by_ids(call.organization.id, [subscription.plan_id])[subscription.plan_id]
