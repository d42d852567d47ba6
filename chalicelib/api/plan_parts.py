"""`/plans/:code/charges` with their filters, `/fixed_charges` and `/metadata`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.api.resource import carry_out
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BadRequest
from chalicelib.features.plans import service
from chalicelib.features.plans.parts import charge_filters, filter_parts
from chalicelib.features.plans.parts import kinds as part_kinds
from chalicelib.features.plans.parts.charge_filters import FilterPatch
from chalicelib.features.plans.parts.kinds import PartKind
from chalicelib.features.plans.records import Charge, Plan
from chalicelib.platform import listing
from chalicelib.platform.agenda import Task
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import ChargeFilterId


def mount(routes: Routes) -> None:
    """Register all routes below a plan."""
    _mount_parts(routes, part_kinds.CHARGES, "charge_code")
    _mount_parts(routes, part_kinds.FIXED_CHARGES, "fixed_charge_code")
    _mount_filters(routes)
    metadata = "/plans/{code}/metadata"
    routes.post(metadata)(_replace_metadata)
    routes.patch(metadata)(_merge_metadata)
    routes.delete(metadata)(_remove_metadata)
    routes.delete(f"{metadata}/{{key}}")(_remove_pair)


def _mount_parts(routes: Routes, kind: PartKind[Any], name: str) -> None:
    """The five routes of a kind of part; `name` is that of its code in the path."""

    def create(call: Call) -> dict[str, Any]:
        def change() -> tuple[tuple[Plan, Any], Sequence[Task]]:
            written, part, tasks = kind.add(call, _plan(call), call.root(kind.root))
            return (written, part), tasks

        written, part = carry_out(call, Resource.PLAN, change)
        return {kind.root: kind.show(call.organization.id, written, part)}

    def index(call: Call) -> dict[str, Any]:
        return kind.listed(call.organization.id, _plan(call), listing.wanted(call))

    def show(call: Call) -> dict[str, Any]:
        plan = _plan(call)
        return _answer(call, plan)

    def update(call: Call) -> dict[str, Any]:
        def change() -> tuple[tuple[Plan, Any], Sequence[Task]]:
            plan = _plan(call)
            kind.find(call.organization.id, plan, call.path[name])
            written, part, tasks = kind.change(call, plan, call.path[name], call.root(kind.root))
            return (written, part), tasks

        written, part = carry_out(call, Resource.PLAN, change)
        return {kind.root: kind.show(call.organization.id, written, part)}

    def destroy(call: Call) -> dict[str, Any]:
        options = call.optional_body().get(kind.root)

        def change() -> tuple[dict[str, Any], Sequence[Task]]:
            plan = _plan(call)
            answer = _answer(call, plan)
            return answer, kind.remove(call, plan, call.path[name], options if isinstance(options, dict) else {})

        return carry_out(call, Resource.PLAN, change)

    def _answer(call: Call, plan: Plan) -> dict[str, Any]:
        part = kind.find(call.organization.id, plan, call.path[name])
        return {kind.root: kind.show(call.organization.id, plan, part)}

    path, single = f"/plans/{{code}}/{kind.plural}", f"/plans/{{code}}/{kind.plural}/{{{name}}}"
    routes.post(path)(create)
    routes.get(path)(index)
    routes.get(single)(show)
    routes.put(single)(update)
    routes.delete(single)(destroy)


def _mount_filters(routes: Routes) -> None:
    """The five routes of a charge's filters."""

    def create(call: Call) -> dict[str, Any]:
        return _changed(call, lambda _: FilterPatch(None, call.root(filter_parts.ROOT)))

    def index(call: Call) -> dict[str, Any]:
        return filter_parts.listed(_charge(call)[1], listing.wanted(call))

    def show(call: Call) -> dict[str, Any]:
        return filter_parts.answer(_charge(call)[1], ChargeFilterId(call.path["filter_id"]))

    def update(call: Call) -> dict[str, Any]:
        def wanted(charge: Charge) -> FilterPatch:
            charge_filters.find(charge.filters, ChargeFilterId(call.path["filter_id"]))
            return FilterPatch(call.path["filter_id"], call.root(filter_parts.ROOT))

        return _changed(call, wanted)

    def destroy(call: Call) -> dict[str, Any]:
        return _changed(call, lambda _: FilterPatch(call.path["filter_id"], None))

    path = f"/plans/{{code}}/charges/{{charge_code}}/{filter_parts.PLURAL}"
    routes.post(path)(create)
    routes.get(path)(index)
    routes.get(f"{path}/{{filter_id}}")(show)
    routes.put(f"{path}/{{filter_id}}")(update)
    routes.delete(f"{path}/{{filter_id}}")(destroy)


def _changed(call: Call, wanted: Callable[[Charge], FilterPatch]) -> dict[str, Any]:
    """The filter after a change of it, as it was before where it goes. `wanted`: the change, for the charge as it is."""

    def change() -> tuple[dict[str, Any], Sequence[Task]]:
        plan, charge = _charge(call)
        one = wanted(charge)
        options = one.fields if one.fields is not None else call.optional_body().get(filter_parts.ROOT)
        cascades = options.get("cascade_updates") if isinstance(options, Mapping) else None
        values = {"filters": one, "cascade_updates": cascades}
        shown = filter_parts.answer(charge, ChargeFilterId(str(one.id))) if one.fields is None else None
        _, after, tasks = part_kinds.CHARGES.change(call, plan, charge.code, values)
        return shown or filter_parts.answer_after(after, one), tasks

    return carry_out(call, Resource.PLAN, change)


def _charge(call: Call) -> tuple[Plan, Charge]:
    plan = _plan(call)
    return plan, part_kinds.CHARGES.find(call.organization.id, plan, call.path["charge_code"])


def _replace_metadata(call: Call) -> dict[str, Any]:
    return _metadata(call, lambda plan: part_kinds.replace_metadata(call, plan, _pairs(call)))


def _merge_metadata(call: Call) -> dict[str, Any]:
    return _metadata(call, lambda plan: part_kinds.merge_metadata(call, plan, _pairs(call)))


def _remove_metadata(call: Call) -> dict[str, Any]:
    _metadata(call, lambda plan: part_kinds.remove_metadata(call, plan))
    return {"metadata": None}


def _remove_pair(call: Call) -> dict[str, Any]:
    return _metadata(call, lambda plan: part_kinds.remove_metadata(call, plan, call.path["key"]))


def _metadata(call: Call, change: Callable[[Plan], tuple[Plan, Sequence[Task]]]) -> dict[str, Any]:
    return {"metadata": dict(carry_out(call, Resource.PLAN, lambda: change(_plan(call))).metadata)}


def _pairs(call: Call) -> dict[str, Any]:
    """The body's pairs; there may be none, but the key must be there.

    Raises: BadRequest.
    """
    body = call.optional_body()
    if not isinstance(body.get("metadata"), dict):
        raise BadRequest("param is missing or the value is empty or invalid: metadata")
    pairs: dict[str, Any] = body["metadata"]
    return pairs


def _plan(call: Call) -> Plan:
    return service.find(call.organization.id, call.path["code"])
