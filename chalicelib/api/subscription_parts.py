"""`/subscriptions/:external_id/charges` with their filters and `/fixed_charges`: the parts of a subscription's plan, and
changing one for it alone."""

from typing import Any

from chalicelib.features.plans import service as plans
from chalicelib.features.plans.parts import charge_filters, filter_parts
from chalicelib.features.plans.parts import kinds as part_kinds
from chalicelib.features.plans.parts.charge_filters import FilterPatch
from chalicelib.features.plans.parts.kinds import PartKind
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.subscriptions import listings, service, updates
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform import listing
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import ChargeFilterId


def mount(routes: Routes) -> None:
    """Register all routes below a subscription."""
    _mount(routes, part_kinds.CHARGES, "charge_code")
    _mount(routes, part_kinds.FIXED_CHARGES, "fixed_charge_code")
    _mount_filters(routes)


def _mount(routes: Routes, kind: PartKind[Any], name: str) -> None:
    """The routes of a kind of part; `name` is that of its code in the path."""

    def index(call: Call) -> dict[str, Any]:
        _, plan = _found(call)
        return kind.listed(call.organization.id, plan, listing.wanted(call))

    def show(call: Call) -> dict[str, Any]:
        _, plan = _found(call)
        part = kind.find(call.organization.id, plan, call.path[name])
        return {kind.root: kind.show(call.organization.id, plan, part)}

    def update(call: Call) -> dict[str, Any]:
        subscription, plan = _found(call)
        part = kind.find(call.organization.id, plan, call.path[name])
        own = _overridden(call, subscription, kind, {**call.root(kind.root), "id": part.id})
        return {kind.root: kind.show(call.organization.id, own, kind.find(call.organization.id, own, part.code))}

    path = f"/subscriptions/{{external_id}}/{kind.plural}"
    routes.get(path)(index)
    routes.get(f"{path}/{{{name}}}")(show)
    routes.put(f"{path}/{{{name}}}")(update)


def _mount_filters(routes: Routes) -> None:
    """The routes of a charge's filters."""

    def create(call: Call) -> dict[str, Any]:
        subscription, charge = _charge(call)
        return _changed(call, subscription, charge, FilterPatch(None, call.root(filter_parts.ROOT)))

    def index(call: Call) -> dict[str, Any]:
        return filter_parts.listed(_charge(call)[1], listing.wanted(call))

    def show(call: Call) -> dict[str, Any]:
        return filter_parts.answer(_charge(call)[1], ChargeFilterId(call.path["filter_id"]))

    def update(call: Call) -> dict[str, Any]:
        subscription, charge = _charge(call)
        charge_filters.find(charge.filters, ChargeFilterId(call.path["filter_id"]))
        change = FilterPatch(call.path["filter_id"], call.root(filter_parts.ROOT))
        return _changed(call, subscription, charge, change)

    def destroy(call: Call) -> dict[str, Any]:
        subscription, charge = _charge(call)
        shown = filter_parts.answer(charge, ChargeFilterId(call.path["filter_id"]))
        _changed(call, subscription, charge, FilterPatch(call.path["filter_id"], None))
        return shown

    path = f"/subscriptions/{{external_id}}/charges/{{charge_code}}/{filter_parts.PLURAL}"
    routes.post(path)(create)
    routes.get(path)(index)
    routes.get(f"{path}/{{filter_id}}")(show)
    routes.put(f"{path}/{{filter_id}}")(update)
    routes.delete(f"{path}/{{filter_id}}")(destroy)


def _changed(call: Call, subscription: Subscription, charge: Charge, change: FilterPatch) -> dict[str, Any]:
    own = _overridden(call, subscription, part_kinds.CHARGES, {"id": charge.id, "filters": change})
    return filter_parts.answer_after(part_kinds.CHARGES.find(call.organization.id, own, charge.code), change)


def _overridden(call: Call, subscription: Subscription, kind: PartKind[Any], entry: dict[str, Any]) -> Plan:
    """The subscription's own plan, once a part of it has other values."""
    written, tasks = updates.update(
        call.organization,
        subscription.external_id,
        {"plan_overrides": {kind.plural: [entry]}},
        statuses=[subscription.status.value],
        now=call.now,
    )
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return plans.by_ids(call.organization.id, [written.plan_id])[written.plan_id]


def _charge(call: Call) -> tuple[Subscription, Charge]:
    subscription, plan = _found(call)
    return subscription, part_kinds.CHARGES.find(call.organization.id, plan, call.path["charge_code"])


def _found(call: Call) -> tuple[Subscription, Plan]:
    wanted = listings.statuses_of(call)
    subscription = service.find(call.organization.id, call.path["external_id"], wanted)
    return subscription, plans.by_ids(call.organization.id, [subscription.plan_id])[subscription.plan_id]
