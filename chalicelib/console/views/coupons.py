"""Coupons of the catalog, and applying them to customers."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.console import forms, lists
from chalicelib.console.format import as_minor, as_typed, day_of, instant_of
from chalicelib.console.forms import Form, blank_to_none, filled
from chalicelib.console.views import catalog, coupon_terms
from chalicelib.console.views.catalog import Kind
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.coupons import applying, service
from chalicelib.features.coupons.records import Coupon
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.plans import service as plans
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import AppliedCouponId, CustomerId, derived_id, derived_like, new_id
from chalicelib.platform.retry import retrying

_TEXTS = ("name", "code", "description", "coupon_type", "frequency", "expiration")
_PLANS, _METRICS = "applies_to.plan_codes", "applies_to.billable_metric_codes"


def _body(visit: Visit, form: Form, record: Coupon | None) -> dict[str, Any]:
    """The body. What its type, frequency, expiration or limitation has no use for stands in hidden fields, and is not meant."""
    body: dict[str, Any] = blank_to_none({name: form.value(name).strip() for name in _TEXTS})
    if record is not None and record.applied:  # The rest is fixed.
        names = ("name", "description", "expiration")
        return {name: body[name] for name in names} | {"expiration_at": _expiration(visit, form, record)}
    body |= {"reusable": form.is_on("reusable"), "expiration_at": _expiration(visit, form, record)}
    return body | _terms(form) | {"applies_to": _limitation(form)}


def _terms(form: Form) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if form.value("coupon_type") == "percentage":
        found["percentage_rate"] = form.value("percentage_rate").strip() or None
    else:
        found["amount_currency"] = form.value("amount_currency")
        found["amount_cents"] = catalog.cents(form, "amount_cents", form.value("amount_currency"))
    if form.value("frequency") == "recurring":
        found["frequency_duration"] = catalog.whole(form, "frequency_duration")
    return found


def _limitation(form: Form) -> dict[str, Any]:
    kept = {"plans": _PLANS, "metrics": _METRICS}.get(form.value("limited_to"))
    found: dict[str, Any] = {"plan_codes": [], "billable_metric_codes": []}
    if kept is not None:
        codes = [each for each in form.all(kept) if each]
        if not codes:
            form.mark(kept, ErrorCode.VALUE_IS_MANDATORY)
        found[kept.rpartition(".")[2]] = codes or catalog.NOTHING
    return found


def _expiration(visit: Visit, form: Form, record: Coupon | None) -> str | None:
    """The first instant at which it cannot be applied: right after the day that the field holds, in the organization's zone.
    A day that was left as it stood means the instant that it came from."""
    text = form.value("expiration_at").strip()
    if form.value("expiration") != "time_limit" or not text:
        return None
    if record is not None and record.expiration_at is not None and text == _last_day(visit, record.expiration_at):
        return record.expiration_at.isoformat()
    try:
        after = day_of(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return text
    return datetime.combine(after, time(), ZoneInfo(visit.organization.timezone)).isoformat()


def _last_day(visit: Visit, instant: str | datetime | None) -> str:
    if instant is None:
        return ""
    local = instant_of(instant).astimezone(ZoneInfo(visit.organization.timezone))
    return (local - timedelta(microseconds=1)).date().isoformat()


def _fill(visit: Visit, coupon: Mapping[str, Any]) -> Form:
    names = (*_TEXTS, "amount_currency", "percentage_rate", "frequency_duration", "reusable")
    amount = None if coupon["amount_currency"] is None else as_typed(coupon["amount_cents"], coupon["amount_currency"])
    limited = "plans" if coupon["limited_plans"] else "metrics" if coupon["limited_billable_metrics"] else ""
    form = filled({name: coupon[name] for name in names} | {"amount_cents": amount, "limited_to": limited})
    if not form.value("amount_currency"):
        form.values["amount_currency"] = [visit.organization.default_currency]
    form.values |= {_PLANS: coupon["plan_codes"], _METRICS: coupon["billable_metric_codes"]}
    form.values["expiration_at"] = [_last_day(visit, coupon["expiration_at"])]
    return form


def _more(visit: Visit, form: Form, record: Coupon | None) -> dict[str, Any]:
    limited, locked = form.value("limited_to"), record is not None and record.applied
    kept, of = (_PLANS, plans.CATALOG) if limited == "plans" else (_METRICS, metrics.CATALOG)
    named = [] if not limited or locked else catalog.options(visit, of, form.all(kept))
    chosen = sorted(dict(named).get(code, code) for code in form.all(kept) if code) if limited else []
    return {
        "locked": locked,
        "currencies": catalog.currencies(),
        "limits": named,
        "limits_field": kept,
        "sentence": _typed_sentence(visit, form, chosen, limited),
    }


def _typed_sentence(visit: Visit, form: Form, names: list[str], what: str) -> str | None:
    """The terms of the form's coupon in words; None while its value is missing or wrong."""
    terms: dict[str, Any] = {"frequency": form.value("frequency")}
    if form.value("coupon_type") == "percentage":
        rate = form.value("percentage_rate").strip()
        if not rate.replace(".", "", 1).isdecimal():
            return None
        terms["percentage_rate"] = rate
    else:
        currency = form.value("amount_currency")
        terms |= {"amount_cents": as_minor(form.value("amount_cents"), currency), "amount_currency": currency}
        if not terms["amount_cents"]:
            return None
    duration = catalog.whole(form, "frequency_duration")
    terms["frequency_duration"] = duration if isinstance(duration, int) else None
    return coupon_terms.sentence(terms, names, what=what, before_tax=_before_tax(visit))


def _before_tax(visit: Visit) -> bool:
    return visit.organization.billing_configuration.coupon_application == "before_tax"


_COUPON = Kind(
    "coupon",
    "coupons",
    "coupon",
    service.CATALOG,
    body=_body,
    fill=_fill,
    blank=lambda visit: {
        "coupon_type": "fixed_amount",
        "amount_currency": visit.organization.default_currency,
        "frequency": "once",
        "expiration": "no_expiration",
        "reusable": "true",
        "limited_to": "",
    },
    more=_more,
    names=lambda form: {"plan_codes": _PLANS, "billable_metric_codes": _METRICS},
)


def index(visit: Visit) -> Page:
    """All coupons, newest first."""
    listed = lists.gather(visit, "/coupons", "coupons")
    applied = service.applications(visit.organization.ref.id, [each["lago_id"] for each in listed.rows])
    return Page("coupons/index.html", {"listed": listed, "applied": applied, "terms": coupon_terms})


def new(visit: Visit) -> Page | Redirect:
    """A new coupon."""
    return catalog.new(visit, _COUPON)


def show(visit: Visit) -> Page:
    """One coupon; asked for alone, the customers whom it was applied to and what is left for each."""
    record = catalog.found(visit, _COUPON)
    applied = _applied_to(visit, record) if visit.query.one("part") == "applied" else {}
    if applied and visit.is_htmx:
        return Page("coupons/applied.html", applied)
    coupon = catalog.shown(visit, _COUPON, record)
    what = "plans" if coupon["limited_plans"] else "metrics"
    names = sorted(coupon["plan_codes"] or coupon["billable_metric_codes"])
    sentence = coupon_terms.sentence(coupon, names, what=what, before_tax=_before_tax(visit))
    values = {"rows": None, **applied, "coupon": coupon, "sentence": sentence, "terms": coupon_terms}
    return Page("coupons/show.html", values)


def _applied_to(visit: Visit, record: Coupon) -> dict[str, Any]:
    page = visit.query.one("page") or None
    answer = visit.api.get("/applied_coupons", {"coupon_code": record.code, "page": page, "per_page": 20})
    rows = [each for each in answer["applied_coupons"] if each["lago_coupon_id"] == record.id]
    ids = list(dict.fromkeys(CustomerId(each["lago_customer_id"]) for each in rows))
    known = customers.get_many(visit.organization.id, ids) if ids else {}
    return {"rows": rows, "customers": known, "meta": answer["meta"], "terms": coupon_terms}


def edit(visit: Visit) -> Page | Redirect:
    """Change a coupon."""
    return catalog.edit(visit, _COUPON)


def terminate(visit: Visit) -> Page | Redirect:
    """End a coupon before its time."""
    record, form = catalog.found(visit, _COUPON), Form()
    if visit.method == "POST":

        def act() -> Coupon:
            catalog.unless_moving(visit)
            return service.terminate(visit.organization.ref, record.id, now=visit.now)

        if forms.submit(form, act) is not None:
            return Redirect(visit.link("coupons", record.id), said="Coupon terminated")
    values = {"form": form, "record": record, "active": _active(visit, record)}
    return Page("coupons/terminate.html", values, form.status, form.headers)


def delete(visit: Visit) -> Page | Redirect:
    """Delete a coupon: it ends for the customers whom it was applied to, too."""
    return catalog.delete(visit, _COUPON, lambda record: {"active": _active(visit, record)})


def _active(visit: Visit, record: Coupon) -> int:
    """Number of its active applications."""
    query: dict[str, Any] = {"coupon_code": record.code, "status": "active", "per_page": 1}
    return int(visit.api.get("/applied_coupons", query)["meta"]["total_count"])


def apply(visit: Visit) -> Page | Redirect:
    """Apply a coupon to a customer, with other terms than the coupon's where some are given."""
    customer = _customer(visit)
    form = forms.posted(visit)
    if visit.method == "GET":
        form = Form(values={"coupon_code": [visit.query.one("coupon")], "form_id": [new_id()]})
    if visit.method == "POST" and not forms.asked_rows(visit, form, {}):
        coupon = service.CATALOG.find(visit.organization.id, form.value("coupon_code"))
        body = _application(form, customer, coupon)
        own = {name: list(refusals) for name, refusals in form.errors.items()}
        done = forms.submit(form, lambda: _apply(visit, customer, body, form.value("form_id")))
        if own:
            form.errors |= own
        elif done:
            return Redirect(visit.link("customers", customer.id), said="Coupon applied")
    choices = [each for each in catalog.choices(visit, service.CATALOG) if _is_usable(visit, each)]
    chosen = next((each for each in choices if each.code == form.value("coupon_code")), None)
    values = {"form": form, "customer": customer, "coupons": choices, "chosen": chosen, "terms": coupon_terms}
    return Page("coupons/apply.html", values, form.status, form.headers)


def _is_usable(visit: Visit, coupon: Any) -> bool:
    return isinstance(coupon, Coupon) and coupon.usable(visit.now)


def _application(form: Form, customer: Customer, coupon: Coupon | None) -> dict[str, Any]:
    """The body of `POST /applied_coupons`: empty fields leave the coupon's own terms."""
    body: dict[str, Any] = {
        "external_customer_id": customer.external_id,
        "coupon_code": form.value("coupon_code"),
        "frequency": form.value("frequency") or None,
    }
    if form.value("frequency") in ("", "recurring"):
        body["frequency_duration"] = catalog.whole(form, "frequency_duration")
    if coupon is None or coupon.coupon_type == "percentage":
        return body | {"percentage_rate": form.value("percentage_rate").strip() or None}
    currency = form.value("amount_currency") or coupon.amount_currency or ""
    body |= {"amount_cents": catalog.cents(form, "amount_cents", currency), "amount_currency": currency}
    return body


def _apply(visit: Visit, customer: Customer, body: Mapping[str, Any], form_id: str) -> bool:
    """Apply it; a second click of the same form finds what the first one made. Coupons of one instant are deducted in the
    order of their ids, which is that of their forms."""
    catalog.unless_moving(visit)
    try:
        applied_id = AppliedCouponId(derived_like(form_id, customer.id))
    except ValueError:  # None of our forms.
        mark = forms.request_id(visit)
        applied_id = AppliedCouponId(derived_id("applied", customer.id, mark) if mark else new_id())

    def attempt() -> bool:
        applying.apply(visit.organization.ref, body, now=visit.now, applied_id=applied_id)
        return True

    return retrying(attempt, Resource.APPLIED_COUPON)


def remove(visit: Visit) -> Page | Redirect:
    """End what was applied to a customer."""
    customer, form = _customer(visit), Form()
    applied = applying.find(visit.organization.id, customer.id, AppliedCouponId(visit.path["applied"]))
    if applied is None:
        raise NotFound(Resource.APPLIED_COUPON)
    if visit.method == "POST":
        path = path_of("customers", customer.external_id, "applied_coupons", applied.id)
        if forms.submit(form, lambda: visit.api.delete(path)) is not None:
            return Redirect(visit.link("customers", customer.id), said="Coupon removed")
    (shown,) = applying.show_all(visit.organization.id, [applied])
    values = {"form": form, "customer": customer, "applied": shown, "terms": coupon_terms}
    return Page("coupons/remove.html", values, form.status, form.headers)


def _customer(visit: Visit) -> Customer:
    """The live customer of the address.

    Raises: NotFound.
    """
    customer = customers.get(visit.organization.id, CustomerId(visit.path["id"]))
    if customer is None or customer.deleted_at is not None:
        raise NotFound(Resource.CUSTOMER)
    return customer
