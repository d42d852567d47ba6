"""Usage of a subscription: the running period or one that was billed, by charge and by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.console import charts, format, texts
from chalicelib.console.charts import Chart, Place, Series
from chalicelib.console.views import usage_steps
from chalicelib.console.visit import Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import NotAllowed
from chalicelib.domain.periods import Span
from chalicelib.features.plans import service as plans
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage_views import by_day
from chalicelib.features.usage_views.by_day import DailyCharge, DailyUsage, Part
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import ChargeId, CustomerId, SubscriptionId
from chalicelib.platform.settings import settings

_SECOND = timedelta(seconds=1)
# More pictures are no overview; the table below has every charge.
_CHARTS_MAX = 8
_COUNTS = ("count_agg", "recurring_count_agg")
_DISTINCT = ("unique_count_agg", "recurring_count_agg")

Shown = Mapping[str, Any]


@dataclass(slots=True)
class Panel:
    """Contents of the panel.

    `choices`: subscriptions to choose from; `shown`: usage in the API's form; `state`: why there is none; `number` and `of`:
    the place of a past period, the latest first; `notes`: which used charges have no chart, and why.
    """

    customer: Shown
    subscription: Shown | None
    choices: Sequence[tuple[str, str]] = ()
    is_past: bool = False
    shown: Shown | None = None
    state: str = ""
    number: int = 0
    of: int = 0
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()
    sample: Mapping[str, str] = field(default_factory=dict)

    @property
    def events_count(self) -> int:
        """The events that the charges counted, as the API says of each."""
        return sum(each["events_count"] for each in self.shown["charges_usage"]) if self.shown else 0


def panel(visit: Visit, customer: Shown, subscription: Shown | None) -> dict[str, Any]:
    """The values of `usage/panel.html`. `customer` and `subscription`: in the API's form."""
    found = Panel(customer, subscription)
    if subscription is None:
        found.state = "no_subscription"
    elif visit.query.one("past") or subscription["status"] == "terminated":
        _gather_past(visit, found, subscription)
    elif subscription["status"] != "active":
        found.state = "not_started"
    else:
        _gather_current(visit, found, subscription)
    return {"usage": found}


def of_customer(visit: Visit, customer: Shown) -> dict[str, Any]:
    """The same for the customer's tab, where one of the active subscriptions is chosen."""
    path = path_of("customers", customer["external_id"], "subscriptions")
    active = visit.api.get(path, {"per_page": 100})["subscriptions"]
    asked = visit.query.one("subscription")
    chosen = next((each for each in active if each["lago_id"] == asked), active[0] if active else None)
    values = panel(visit, customer, chosen)
    values["usage"].choices = [(each["lago_id"], name_of(each)) for each in active]
    return values


def name_of(subscription: Shown) -> str:
    """The name by which people know a subscription."""
    plan = subscription.get("plan") or {}
    name = subscription["name"] or subscription["external_id"]
    return f"{name} · {plan.get('name') or subscription['plan_code']}"


def _gather_current(visit: Visit, found: Panel, subscription: Shown) -> None:
    path = path_of("customers", found.customer["external_id"], "projected_usage")
    query = {"external_subscription_id": subscription["external_id"], "apply_taxes": "false"}
    try:
        found.shown = visit.api.get(path, query)["customer_projected_usage"]
    except NotAllowed as error:
        if error.code != ErrorCode.NO_ACTIVE_SUBSCRIPTION:
            raise
        found.state = "no_subscription"
        return
    charges = found.shown["charges_usage"]
    if not charges:
        found.state = "no_charges"
    elif not any(each["events_count"] or each["amount_cents"] or each["units"] != "0.0" for each in charges):
        found.state = "unused"
        found.sample = {
            "endpoint": f"{settings().public_url}/api/v1",
            "code": charges[0]["billable_metric"]["code"],
            "subscription": subscription["external_id"],
        }
    else:
        record = _record(visit, found.customer, subscription)
        zone = ZoneInfo(found.customer["applicable_timezone"])
        if record is not None:
            _explain(visit, found, record)
            _draw(found, by_day.open_period(visit.organization.ref, record, zone, now=visit.now))


def _gather_past(visit: Visit, found: Panel, subscription: Shown) -> None:
    found.is_past = True
    asked = visit.query.one("past")
    query = {
        "external_subscription_id": subscription["external_id"],
        "per_page": 1,
        "page": asked if asked.isdecimal() and asked != "0" else "1",
    }
    answer = visit.api.get(path_of("customers", found.customer["external_id"], "past_usage"), query)
    found.of = answer["meta"]["total_count"]
    if not answer["usage_periods"]:
        found.state = "no_past"
        return
    found.number = answer["meta"]["current_page"]
    (found.shown,) = answer["usage_periods"]
    assert found.shown is not None
    record = _record(visit, found.customer, subscription)
    if record is not None and found.shown["charges_usage"]:
        _explain(visit, found, record)
        start, end = (format.instant_of(found.shown[name]) for name in ("from_datetime", "to_datetime"))
        zone = ZoneInfo(found.customer["applicable_timezone"])
        span = Span(start, max(start, end + _SECOND))
        _draw(found, by_day.of_range(visit.organization.ref, record, span, zone, now=visit.now))


def _record(visit: Visit, customer: Shown, subscription: Shown) -> Subscription | None:
    return subscriptions.get(
        visit.organization.id, CustomerId(customer["lago_id"]), SubscriptionId(subscription["lago_id"])
    )


def _explain(visit: Visit, found: Panel, record: Subscription) -> None:
    plan = plans.by_ids(visit.organization.id, [record.plan_id]).get(record.plan_id)
    if plan is not None and found.shown is not None:
        usage_steps.explain(found.shown, plan)


# Charts.


def _draw(found: Panel, daily: DailyUsage | None) -> None:
    """The charts of the charges that were used, and why others have none."""
    assert found.shown is not None
    used = [each for each in found.shown["charges_usage"] if each["events_count"] or each["units"] != "0.0"]
    if daily is None:
        found.notes = [f"No charts by day: this period has more than {by_day.DAYS_MAX} days."] if used else []
        return
    told = [(each, daily.charges.get(ChargeId(each["charge"]["lago_id"]))) for each in used]
    drawn = [(each, own) for each, own in told if own is not None]
    found.charts = [_chart(each, own, daily) for each, own in drawn[:_CHARTS_MAX]]
    zone = found.customer["applicable_timezone"]
    cut = [each for each, own in told if own is None and daily.cuts_hours and not _is_distinct(each)]
    by_event = [each for each, own in told if own is None and each not in cut]
    reasons = (
        (cut, f"days in {zone} begin within an hour of UTC, and usage is kept by these hours."),
        (by_event, "what single days add can only be told event by event."),
        ([each for each, _ in drawn[_CHARTS_MAX:]], f"{_CHARTS_MAX} charts are shown at most."),
    )
    found.notes = [f"No chart by day of {_names(some)}: {reason}" for some, reason in reasons if some]


def _is_distinct(shown: Shown) -> bool:
    return shown["billable_metric"]["aggregation_type"] in _DISTINCT


def _names(shown: Sequence[Shown]) -> str:
    return ", ".join(dict.fromkeys(map(charge_name, shown)))


def _chart(shown: Shown, own: DailyCharge, daily: DailyUsage) -> Chart:
    parts = {part: values for part, values in own.parts.items() if any(values)} or dict(list(own.parts.items())[:1])
    # Fees in the order of the table, groups among themselves by name.
    last = len(shown["filters"])
    order = sorted(parts, key=lambda part: (last if part is None or part[0] is None else part[0], str(part)))
    series = [Series(_part_name(shown, part), parts[part]) for part in order]
    places = [Place(format.day(day)[:-6], f"{day:%a}, {format.day(day)}", day > daily.today) for day in daily.days]
    name, whole = charge_name(shown), f"{format.day(daily.days[0])} to {format.day(daily.days[-1])}"
    if own.kind == "used":
        unit = "events" if shown["billable_metric"]["aggregation_type"] in _COUNTS else "units"
        sums = ", ".join(f"{each.name} {format.units(sum(each.values))}" for each in series[:8])
        return charts.bars(f"{name}, {unit} a day", places, series, f"{name} by day, {whole}: {sums}")
    at = _last(daily)
    levels = ", ".join(f"{each.name} {format.units(each.values[at])}" for each in series[:8])
    return charts.lines(
        f"{name}, at the end of each day", places, series, f"{name} at each day's end, {whole}: {levels}"
    )


def _last(daily: DailyUsage) -> int:
    begun: list[date] = [day for day in daily.days if day <= daily.today]
    return max(0, len(begun) - 1)


def _part_name(shown: Shown, part: Part) -> str:
    if part is None:
        return charge_name(shown)
    index, group = part
    names = []
    if shown["filters"]:
        names.append(filter_name(shown["filters"][-1 if index is None else index]))
    names += [str(value) if value is not None else f"no {key}" for key, value in group]
    return " · ".join(names) or charge_name(shown)


def charge_name(shown: Shown) -> str:
    """The name of a charge."""
    return str(shown["charge"]["invoice_display_name"] or shown["billable_metric"]["name"])


def filter_name(shown: Shown) -> str:
    """The name of a charge's filter, made of its values; usage that no filter takes is other usage."""
    if shown["invoice_display_name"]:
        return str(shown["invoice_display_name"])
    values = shown["values"] or {}
    return " · ".join(", ".join(map(texts.filter_value, listed)) for listed in values.values()) or "Other"
