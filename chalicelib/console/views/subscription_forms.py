"""Acts on subscriptions: assign a plan, edit, change the plan, end, cancel. What will be billed is said before, by the
API's own preview."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console import format, forms
from chalicelib.console.forms import Form
from chalicelib.console.views import overrides
from chalicelib.console.views.subscriptions import PLAN_FIELDS, Found, of_address, plans_beside
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BillingError, NotFound
from chalicelib.features.customers import serializer as customer_serializer
from chalicelib.features.customers import service as customers
from chalicelib.features.invoicing import preview
from chalicelib.features.invoicing.preview import Consequences
from chalicelib.features.plans import service as plans
from chalicelib.features.subscriptions import plan_changes
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, derived_id

_CHOICES = {"per_page": 100}
# In place of what follows, as long as nobody asked for it.
NOT_ASKED = "not asked"


def new(visit: Visit) -> Page | Redirect:
    """Assign a plan: to the customer of the address, or to one that is chosen."""
    form = Form(values={"billing_time": ["calendar"]}) if visit.method == "GET" else forms.posted(visit)
    customer = _customer(visit, form)
    zone = visit.organization.timezone if customer is None else str(customer["applicable_timezone"])
    plan = _plan(visit, form)
    if not form.value("external_id"):
        form.values["external_id"] = [_proposed(visit, customer, plan)]
    if visit.method == "POST" and not forms.asked_rows(visit, form, {}):
        body = _body(form, zone, customer, plan)
        made = forms.submit(form, lambda: visit.api.post("/subscriptions", {"subscription": body}))
        if made is not None:
            subscription = made["subscription"]
            said = "Plan assigned" if subscription["status"] == "active" else "Plan assigned: it starts later"
            address = visit.link("subscriptions", subscription["lago_id"], customer=subscription["lago_customer_id"])
            return Redirect(address, said=said)
    return Page("subscriptions/new.html", _new_values(visit, form, customer, plan, zone), form.status)


def _new_values(visit: Visit, form: Form, customer: Any, plan: Any, zone: str) -> dict[str, Any]:
    fixed = "id" in visit.path
    return {
        "form": form,
        "customer": customer,
        "is_fixed": fixed,
        "zone": zone,
        "plan": plan,
        "plans": _offered(visit),
        "customers": [] if fixed else visit.api.get("/customers", _CHOICES)["customers"],
        "first": _first(visit, form, customer, plan, zone),
        "overrides": [] if plan is None else overrides.fields_of(plan),
    }


def _offered(visit: Visit) -> list[dict[str, Any]]:
    """The newest plans, as far as choosing one needs them."""
    newest = plans.CATALOG.newest(visit.organization.id, _CHOICES["per_page"])
    return [plan.model_dump(mode="json", include=PLAN_FIELDS) for plan in newest]


def _customer(visit: Visit, form: Form) -> Mapping[str, Any] | None:
    """The customer of the address, or the chosen one; None where none is chosen yet.

    Raises: NotFound, for an address without a customer.
    """
    if "id" in visit.path:
        found = customers.get(visit.organization.id, CustomerId(visit.path["id"]))
        if found is None or found.deleted_at is not None:
            raise NotFound(Resource.CUSTOMER)
        return customer_serializer.base(visit.organization, found)
    given = form.value("external_customer_id") or visit.query.one("external_customer_id")
    chosen = customers.find_live(visit.organization.id, given) if given else None
    return None if chosen is None else customer_serializer.base(visit.organization, chosen)


def _plan(visit: Visit, form: Form) -> Mapping[str, Any] | None:
    code = form.value("plan_code") or visit.query.one("plan_code")
    if not code:
        return None
    form.values["plan_code"] = [code]
    try:
        plan: Mapping[str, Any] = visit.api.get(path_of("plans", code))["plan"]
    except NotFound:
        return None
    return plan


def _proposed(visit: Visit, customer: Any, plan: Any) -> str:
    """An external id that nobody has: people may choose another one."""
    mark = derived_id(visit.organization.id, "subscription-form", forms.request_id(visit) or visit.request_id)[-6:]
    words = [each for each in (customer and customer["external_id"], plan and plan["code"]) if each]
    return "-".join([*(words or ["subscription"]), mark])[:255]


def _body(form: Form, zone: str, customer: Any, plan: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "external_customer_id": customer["external_id"] if customer else form.value("external_customer_id"),
        "plan_code": form.value("plan_code"),
        "external_id": form.value("external_id"),
        "name": form.value("name") or None,
        "billing_time": form.value("billing_time"),
        "subscription_at": _instant(form, "subscription_at", zone),
        "ending_at": _instant(form, "ending_at", zone),
    }
    changed = {} if plan is None else overrides.of_form(form, plan)
    return body | ({"plan_overrides": changed} if changed else {})


def _instant(form: Form, name: str, zone: str) -> str | None:
    text = form.value(name)
    return format.from_local(text, zone) if text else None


def _first(visit: Visit, form: Form, customer: Any, plan: Any, zone: str) -> dict[str, Any] | None:
    """The first invoice by the API's own preview; None as long as there can be none."""
    if customer is None or plan is None:
        return None
    body = {
        "customer": {"external_id": customer["external_id"]},
        "plan_code": plan["code"],
        "billing_time": form.value("billing_time") or "calendar",
        "subscription_at": _instant(form, "subscription_at", zone),
    }
    try:
        invoice = visit.api.post("/invoices/preview", body)["invoice"]
    except BillingError:
        return None
    starts = body["subscription_at"]
    when = "now" if starts is None else "past" if format.instant_of(starts) < visit.now else "future"
    return {"invoice": invoice, "when": when, "starts": starts}


def edit(visit: Visit) -> Page | Redirect:
    """Change the name, the end, and what an end does."""
    found = of_address(visit)
    shown = found.shown
    if visit.method == "GET":
        form = forms.filled(
            {
                "name": shown["name"],
                "ending_at": format.local_text(shown["ending_at"], found.zone),
                "subscription_at": format.local_text(shown["subscription_at"], found.zone),
                "on_termination_invoice": shown["on_termination_invoice"],
                "on_termination_credit_note": shown["on_termination_credit_note"] or "credit",
            }
        )
    else:
        form = forms.posted(visit)
        body: dict[str, Any] = {
            "name": form.value("name") or None,
            "ending_at": _instant(form, "ending_at", found.zone),
            "on_termination_invoice": form.value("on_termination_invoice"),
        }
        if shown["plan"]["pay_in_advance"]:
            body["on_termination_credit_note"] = form.value("on_termination_credit_note")
        if shown["status"] == "pending":
            body["subscription_at"] = _instant(form, "subscription_at", found.zone)
        query = {"status": shown["status"]}
        if forms.submit(form, lambda: visit.api.put(found.path, {"subscription": body}, query)) is not None:
            return Redirect(_address(visit, found), said="Subscription saved")
    return Page("subscriptions/edit.html", {"form": form, "found": found}, form.status)


def change(visit: Visit) -> Page | Redirect:
    """Change the plan: at once where the new one is dearer, else with the next period."""
    found = of_address(visit)
    form = Form(values={"plan_code": [visit.query.one("plan_code")]}) if visit.method == "GET" else forms.posted(visit)
    if visit.method == "POST" and not forms.asked_rows(visit, form, {}):
        body = {
            "external_customer_id": found.customer["external_id"],
            "external_id": found.record.external_id,
            "plan_code": form.value("plan_code"),
        }
        made = forms.submit(form, lambda: visit.api.post("/subscriptions", {"subscription": body}))
        if made is not None:
            subscription = made["subscription"]
            address = visit.link("subscriptions", subscription["lago_id"], customer=subscription["lago_customer_id"])
            return Redirect(address, said="Plan change scheduled" if subscription["next_plan_code"] else "Plan changed")
    offered = [
        plan
        for plan in _offered(visit)
        if plan["code"] != found.shown["plan_code"] and plan["amount_currency"] == found.shown["plan_amount_currency"]
    ]
    values = {
        "form": form,
        "found": found,
        "plans": offered,
        "compared": _compared(visit, found, form.value("plan_code")),
    }
    return Page("subscriptions/change.html", values, form.status)


def _compared(visit: Visit, found: Found, code: str) -> dict[str, Any] | None:
    """Both plans by their amounts of a year, and what follows; None before a plan is chosen."""
    if not code:
        return None
    try:
        new = plans.find(visit.organization.id, code)
    except NotFound:
        return None
    current = plans.by_ids(visit.organization.id, [found.record.plan_id])[found.record.plan_id]
    is_upgrade = plan_changes.is_dearer(new, current)
    return {
        "name": new.name,
        "is_upgrade": is_upgrade,
        "currency": new.amount_currency,
        "annual": (plan_changes.annual_cents(current), plan_changes.annual_cents(new)),
        "day": found.shown["current_billing_period_ending_at"],
        "code": code,
        "follows": _following(visit, found, {"plan_code": code}) if _wants_follows(visit) else NOT_ASKED,
    }


def terminate(visit: Visit) -> Page | Redirect:
    """End an active subscription, after what will be billed was told."""
    found = of_address(visit)
    if visit.method == "GET":
        defaults = {
            "on_termination_invoice": found.shown["on_termination_invoice"],
            "on_termination_credit_note": found.shown["on_termination_credit_note"] or "credit",
        }
        form = forms.filled({name: visit.query.one(name) or value for name, value in defaults.items()})
    else:
        form = forms.posted(visit)
    options = {"on_termination_invoice": form.value("on_termination_invoice")}
    if found.shown["plan"]["pay_in_advance"]:
        options["on_termination_credit_note"] = form.value("on_termination_credit_note")
    asked = visit.method == "POST" and not forms.asked_rows(visit, form, {})
    if asked and forms.submit(form, lambda: visit.api.delete(found.path, options)) is not None:
        return Redirect(_address(visit, found), said="Subscription terminated")
    change = {"terminated_at": visit.now.isoformat(), **options}
    follows = _following(visit, found, change) if _wants_follows(visit) else NOT_ASKED
    values = {"form": form, "found": found, "follows": follows, "options": options}
    return Page("subscriptions/terminate.html", values, form.status)


def cancel(visit: Visit) -> Page | Redirect:
    """Cancel a pending subscription, or a plan change that waits."""
    found = of_address(visit)
    waits = found.shown["next_plan_code"] is not None
    form = Form()
    if visit.method == "POST":
        act = lambda: visit.api.delete(found.path, {"status": "pending"})  # noqa: E731
        if forms.submit(form, act) is not None:
            said = "Plan change canceled" if waits else "Subscription canceled"
            return Redirect(_address(visit, found), said=said)
    values = {"form": form, "found": found, "waits": waits, **plans_beside(visit, found)}
    return Page("subscriptions/cancel.html", values, form.status)


def _wants_follows(visit: Visit) -> bool:
    """Whether the part is asked for that says what follows: it prices usage, so it is read after the page."""
    return visit.query.one("part") == "follows"


def _following(visit: Visit, found: Found, change: Mapping[str, Any]) -> Consequences | None:
    """The invoice and the credit notes that follow from a change; None where they cannot be computed."""
    body = {
        "customer": {"external_id": found.customer["external_id"]},
        "subscriptions": {"external_ids": [found.record.external_id], **change},
    }
    try:
        return preview.consequences(visit.organization.ref, body, now=visit.now)
    except BillingError:
        return None


def _address(visit: Visit, found: Found) -> str:
    return visit.link("subscriptions", found.record.id, customer=found.record.customer_id)
