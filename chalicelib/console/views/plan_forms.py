"""Creating, changing, overwriting and deleting plans, and the calculator of their forms."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.console import forms, texts
from chalicelib.console.forms import Form
from chalicelib.console.plans import body, calculation, choices, plan_form, ready, refusals
from chalicelib.console.plans.plan_form import PlanForm
from chalicelib.console.plans.ready import Ready
from chalicelib.console.views.plans import shown
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound
from chalicelib.domain.intervals import Interval
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.plans import service
from chalicelib.features.plans.records import Plan
from chalicelib.platform.http.inside import Query, path_of

_MODELS = ("standard", "graduated", "package", "percentage", "volume", "graduated_percentage", "dynamic")
# Fields of a new plan that an address may fill; the price of a unit that it proposes.
_PROPOSED = ("name", "code", "amount_cents")
_PROPOSED_PRICE = "0.5"
_FIXED_MODELS = ("standard", "graduated", "volume")
# Subscriptions that a deletion names.
_NAMED = 10


def new(visit: Visit) -> Page | Redirect:
    """A new plan, empty or from a ready one; `name`, `code` and `amount_cents` of the query: what an
    empty one begins with; `metric`: the code of the metric that its first charge prices."""
    started = ready.find(visit.form.one("template") or visit.query.one("template"))
    if visit.method == "GET":
        form = ready.form_of(visit, started) if started else plan_form.new(visit.organization.default_currency)
        form.values |= {name: [visit.query.one(name)] for name in _PROPOSED if name in visit.query}
        form.values |= _first_charge(visit)
        return _drawn(visit, form, "New plan", "Create plan", started=started)
    return _created(visit, "New plan", started=started)


def _first_charge(visit: Visit) -> dict[str, list[str]]:
    """The fields of a charge on the metric that the address names; none without it."""
    code = visit.query.one("metric")
    metric = metrics.by_codes(visit.organization.id, [code]).get(code) if code else None
    if metric is None:
        return {}
    return plan_form.filled(
        {
            "charges": [
                {
                    **plan_form.BLANKS["charges"],
                    "billable_metric_id": metric.id,
                    "properties": {"amount": _PROPOSED_PRICE},
                }
            ]
        }
    )


def overwrite(visit: Visit) -> Page | Redirect:
    """A copy of a plan as a new one, all of which can be edited.

    Raises: NotFound.
    """
    original = service.get(visit.organization.id, visit.path["id"])
    heading = f"Overwrite {original.name}"
    if visit.method == "GET":
        form = plan_form.of_plan(shown(visit, original), _own_names(original), is_copy=True)
        return _drawn(visit, form, heading, "Create plan", original=original)
    return _created(visit, heading, original=original)


def edit(visit: Visit) -> Page | Redirect:
    """A plan that exists.

    Raises: NotFound.
    """
    plan = service.get(visit.organization.id, visit.path["id"])
    heading = f"Edit {plan.name}"
    if visit.method == "GET":
        form = plan_form.of_plan(shown(visit, plan), _own_names(plan))
        return _drawn(visit, form, heading, "Save", plan=plan)
    form = _posted(visit)
    if _asks_for_rows(visit, form):
        return _drawn(visit, form, heading, "Save", plan=plan)
    wanted = body.of_form(form)
    if _submitted(form, lambda: visit.api.put(path_of("plans", plan.code), {"plan": wanted})) is not None:
        return Redirect(visit.link("plans", plan.id), said="Plan saved")
    refusals.place(visit, form, wanted, plan)
    return _drawn(visit, form, heading, "Save", plan=plan)


def delete(visit: Visit) -> Page | Redirect:
    """Delete a plan, after its code was typed where subscriptions are active.

    Raises: NotFound.
    """
    plan = service.get(visit.organization.id, visit.path["id"])
    query: Query = {"plan_code": plan.code, "status[]": ["active", "pending"], "per_page": _NAMED}
    ending = visit.api.get("/subscriptions", query)
    form = forms.posted(visit) if visit.method == "POST" else Form()
    is_used = bool(ending["subscriptions"])
    if visit.method == "POST" and (not is_used or form.value("code").strip() == plan.code):
        if forms.submit(form, lambda: visit.api.delete(path_of("plans", plan.code))) is not None:
            said = "Plan deleted. Its subscriptions end now" if is_used else "Plan deleted"
            return Redirect(visit.link("plans"), said=said)
    elif visit.method == "POST":
        form.errors["code"] = [texts.Refusal(f"Type {plan.code} to confirm.", ErrorCode.VALUE_IS_INVALID, "code")]
        form.status = 422
    values = {"plan": plan, "form": form, "ending": ending["subscriptions"], "number": ending["meta"]["total_count"]}
    return Page("plans/delete.html", values, form.status)


def templates(visit: Visit) -> Page:
    """Ready plans to begin with."""
    present = ready.present_codes(visit)
    return Page("plans/templates.html", {"ready": list(ready.all_ready().values()), "present": present})


def price(visit: Visit) -> Page:
    """Cost of the usage in a calculator, by the prices of a form that is not saved."""
    form = forms.posted(visit)
    place = visit.query.one("part")
    if place not in {f"{group}.{n}" for group in ("charges", "fixed_charges") for n in form.rows(group)}:
        raise NotFound(Resource.CHARGE)
    plan_form.prepare(form)
    found = calculation.of_part(form, place, visit.organization.default_currency)
    return Page("plans/price.html", {"calculated": found})


def _created(
    visit: Visit, heading: str, *, started: Ready | None = None, original: Plan | None = None
) -> Page | Redirect:
    form = _posted(visit)

    def draw() -> Page:
        return _drawn(visit, form, heading, "Create plan", started=started, original=original)

    if _asks_for_rows(visit, form):
        return draw()

    def act() -> Any:
        if started is not None:
            ready.make_metrics(visit, form, started)
        return visit.api.post("/plans", {"plan": body.of_form(form)})["plan"]

    made = _submitted(form, act)
    wanted = body.of_form(form)
    if made is None:
        made = _made_by_the_first_click(visit, form, wanted)
    if made is not None:
        return Redirect(visit.link("plans", made["lago_id"]), said="Plan created")
    refusals.place(visit, form, wanted, None)
    return draw()


def _posted(visit: Visit) -> PlanForm:
    return PlanForm(values=forms.posted(visit).values)


def _asks_for_rows(visit: Visit, form: PlanForm) -> bool:
    """Whether the button that was pressed draws the form again, with a row more or less. Rows are numbered anew and completed
    either way."""
    asked = forms.asked_rows(visit, form, plan_form.BLANKS)
    body.numbered_anew(form)
    plan_form.prepare(form)
    return asked


def _submitted(form: PlanForm, act: Callable[[], Any]) -> Any:
    """The result of an act; None where an amount is none, or the API refuses."""
    body.of_form(form)  # Notes amounts that are none.
    return None if form.errors else forms.submit(form, act)


def _made_by_the_first_click(visit: Visit, form: PlanForm, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The plan of this code, where all that the form says is so already: a second click, or a form that was sent twice."""
    if [each.code for each in form.errors.get("code", [])] != [ErrorCode.VALUE_ALREADY_EXIST] or len(form.errors) > 1:
        return None
    found = service.CATALOG.find(visit.organization.id, wanted["code"])
    if found is None:
        return None
    present = shown(visit, found)
    same = body.of_form(plan_form.of_plan(present, _own_names(found), is_copy=True))
    return present if _comparable(same | {"name": found.name, "code": found.code}) == _comparable(wanted) else None


def _comparable(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what the API adds by itself: codes of parts."""
    parts = {
        group: [{name: value for name, value in each.items() if name not in ("code", "id")} for each in wanted[group]]
        for group in ("charges", "fixed_charges")
    }
    return {**wanted, **parts}


def _own_names(plan: Plan) -> dict[str, str | None]:
    """The display names of fixed charges as they were given: the API shows the add-on's where there is none."""
    return {fixed.id: fixed.invoice_display_name for fixed in plan.fixed_charges}


def _drawn(
    visit: Visit,
    form: PlanForm,
    heading: str,
    submit: str,
    *,
    plan: Plan | None = None,
    original: Plan | None = None,
    started: Ready | None = None,
) -> Page:
    plan_form.prepare(form)  # A form that was not posted has ranges of the API's only.
    default = visit.organization.default_currency
    values = {
        "form": form,
        "title": heading,
        "submit": submit,
        "plan": plan,
        "original": original,
        "started": started,
        "taken": plan is not None and plan.taken,
        "choices": choices.gather(visit, form, started),
        "calculated": calculation.of_all(form, default),
        "currency": body.currency_of(form, default),
        "tiered": plan_form.TIERED,
        "is_long": form.value("interval") in plan_form.LONG_INTERVALS,
        "intervals": [(each.value, texts.label(each.value)) for each in Interval],
        "currencies": [(each, each) for each in sorted(CURRENCIES)],
        "models": [(each, texts.label(each)) for each in _MODELS],
        "fixed_models": [(each, texts.label(each)) for each in _FIXED_MODELS],
    }
    return Page("plans/form.html", values, form.status, form.headers)
