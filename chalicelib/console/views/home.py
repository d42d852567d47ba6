"""Home: first steps, and what asks for attention."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.console import access, charts, format
from chalicelib.console.charts import Chart, Place, Series
from chalicelib.console.pages import Bare
from chalicelib.console.visit import SLUG_DIGITS, Page, Redirect, Visit, slug
from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import exponent
from chalicelib.features.events import debugger
from chalicelib.features.invoices import figures, reading
from chalicelib.features.invoices.figures import Figures, Invoiced, Sum
from chalicelib.features.subscriptions import first_steps
from chalicelib.features.webhooks import failing
from chalicelib.platform.settings import settings

# What the example makes.
_METRIC, _PLAN, _CUSTOMER, _SUBSCRIPTION = "example_api_calls", "example_growth", "example-customer", "example-main"
_EVENTS = 20
# Shown of what was invoiced, with the present month.
_MONTHS = 12


def show(visit: Visit) -> Page | Bare:
    """The first page of an organization."""
    organization_id = visit.organization.ref.id
    if visit.is_htmx and visit.query.one("step") == "event":
        return _event(visit)
    if visit.is_htmx and visit.query.one("part") == "failing":
        return _failing(visit)
    today = periods.local_date(visit.now, ZoneInfo(visit.organization.timezone))
    found, invoiced = figures.by_month(organization_id, today, _MONTHS)
    totals = reading.totals(organization_id)
    has_invoices = totals.get("all", 0) > 0
    steps = None
    if not _is_dismissed(visit):
        steps = first_steps.read(organization_id, has_invoices=has_invoices)
    values: dict[str, Any] = {
        "steps": steps,
        "has_invoices": has_invoices,
        "is_billed": totals.get("status=finalized", 0) > 0,
        "figures": _figures(visit, found) if has_invoices and found is not None else None,
        "failing": None,
        "alone": False,
        "invoiced": _charts(visit, invoiced),
        "not_counted": invoiced.before if has_invoices else 0,
        **_curl(visit, steps),
    }
    return Page("home/show.html", values)


def _event(visit: Visit) -> Page | Bare:
    """The step of the first event, once one is counted; until then the page stays as it is."""
    counted = bool(visit.api.get("/events", {"per_page": 1})["events"])
    return Page("home/event.html", {"counted": True}) if counted else Bare("", 204)


def _curl(visit: Visit, steps: first_steps.FirstSteps | None) -> dict[str, str]:
    code = (steps and steps.metric_code) or "METRIC_CODE"
    subscription = (steps and steps.external_subscription_id) or "SUBSCRIPTION_ID"
    return {
        "endpoint": f"{settings().public_url}/api/v1",
        "metric_code": code,
        "subscription": subscription,
        "transaction": f"first-{visit.organization.id[-4:]}",
    }


def dismiss(visit: Visit) -> Redirect:
    """No list of first steps any more, in this browser."""
    return Redirect(visit.link(), cookies=[access.kept_cookie(_cookie(visit), "1")])


def _is_dismissed(visit: Visit) -> bool:
    return access.cookies(visit.headers).get(_cookie(visit)) == "1"


def _cookie(visit: Visit) -> str:
    return f"no-steps-{slug(visit.organization)[-SLUG_DIGITS:]}"


# The example.


def example(visit: Visit) -> Redirect:
    """A metric, plan, customer and subscription with some events, made by the API. What is there already stays."""
    if not visit.organization.sandbox:
        return Redirect(visit.link(), said="Only sandboxes take example data")
    currency = visit.organization.default_currency
    metric = {"name": "API calls", "code": _METRIC, "aggregation_type": "count_agg"}
    _made(visit, "/billable_metrics", {"billable_metric": metric})
    metric_id = visit.api.get(f"/billable_metrics/{_METRIC}")["billable_metric"]["lago_id"]
    charge = {"billable_metric_id": metric_id, "charge_model": "standard", "properties": {"amount": "0.5"}}
    plan = {"name": "Example growth", "code": _PLAN, "interval": "monthly", "amount_cents": 4900}
    plan |= {"amount_currency": currency, "charges": [charge]}
    _made(visit, "/plans", {"plan": plan})
    customer = {"external_id": _CUSTOMER, "name": "Example customer", "currency": currency}
    visit.api.post("/customers", {"customer": customer})
    subscription = {"external_customer_id": _CUSTOMER, "plan_code": _PLAN, "external_id": _SUBSCRIPTION}
    _made(visit, "/subscriptions", {"subscription": subscription})
    event = {"external_subscription_id": _SUBSCRIPTION, "code": _METRIC}
    events = [
        {**event, "timestamp": int(visit.now.timestamp()), "transaction_id": f"example-{n}"} for n in range(_EVENTS)
    ]
    visit.api.post("/events/batch", {"events": events})
    return Redirect(visit.link(), said="Example data created")


def _made(visit: Visit, path: str, body: Mapping[str, Any]) -> None:
    try:
        visit.api.post(path, body)
    except Invalid as error:
        if ErrorCode.VALUE_ALREADY_EXIST not in str(error.details):
            raise


# What asks for attention.


def _figures(visit: Visit, found: Figures) -> list[tuple[str, str, str, str]]:
    """Label, amount, note and address of each figure."""
    unpaid = {"status": "finalized", "payment_status": ["pending", "failed"]}
    return [
        ("Outstanding", *_sums(visit, found.outstanding), visit.link("invoices", **unpaid)),
        ("Overdue", *_sums(visit, found.overdue), visit.link("invoices", payment_overdue="true")),
        ("Drafts to finalize", *_sums(visit, found.draft), visit.link("invoices", status="draft")),
        ("Failed payments", *_failed(found), visit.link("invoices", status="finalized", payment_status="failed")),
        ("Events with warnings", *_warned(visit), visit.link("events", warnings="any")),
    ]


def _warned(visit: Visit) -> tuple[str, str]:
    number, since = debugger.warned_lately(visit.organization.ref.id, real_now=visit.real_now)
    return format.count(number), f"since {format.moment(since, visit.organization.timezone, time=True)}"


def _failing(visit: Visit) -> Page | Bare:
    """The figure of failing messages; without other figures only where some fail."""
    by_endpoint, since = failing.lately(visit.organization.ref.id, real_now=visit.real_now)
    number, alone = sum(by_endpoint.values()), bool(visit.query.one("alone"))
    if alone and not number:
        return Bare("", 204)
    note = f"of those since {format.moment(since, visit.organization.timezone, time=True)}"
    return Page("home/failing.html", {"failing": (format.count(number), note), "alone": alone})


def _charts(visit: Visit, invoiced: Invoiced) -> list[Chart]:
    """A chart for each currency, the organization's own first: amounts of several are never added up."""
    places = [Place(f"{month:%b}", f"{month:%B} {month.year}") for month in invoiced.months]
    of = invoiced.by_currency
    return [_chart(currency, places, of[currency], alone=len(of) == 1) for currency in _in_order(visit, of)]


def _chart(currency: str, places: Sequence[Place], sums: Sequence[Sum], *, alone: bool) -> Chart:
    title = "Invoiced by month" if alone else f"Invoiced by month, {currency}"
    amounts = [Decimal(each.cents).scaleb(-exponent(currency)) for each in sums]
    number = sum(each.number for each in sums)
    whole = format.money(sum(each.cents for each in sums), currency)
    told = f"{title}, {places[0].head} to {places[-1].head}: {whole} on {_invoices(number)}"
    return charts.months(title, places, Series("Invoiced", amounts), currency, told)


def _sums(visit: Visit, sums: Mapping[str, Sum]) -> tuple[str, str]:
    """The organization's own currency first; amounts of several are never added up."""
    order = _in_order(visit, sums) or [visit.organization.default_currency]
    number = sum(each.number for each in sums.values())
    others = [format.money(sums[currency].cents, currency) for currency in order[1:]]
    first = sums.get(order[0], Sum())
    return format.money(first.cents, order[0]), " · ".join([*others, _invoices(number)])


def _in_order(visit: Visit, currencies: Iterable[str]) -> list[str]:
    own = visit.organization.default_currency
    return sorted(currencies, key=lambda currency: (currency != own, currency))


def _failed(found: Figures) -> tuple[str, str]:
    number = found.numbers["failed"]
    return format.count(number), "invoice" if number == 1 else "invoices"


def _invoices(number: int) -> str:
    return f"{format.count(number)} invoice{'' if number == 1 else 's'}"
