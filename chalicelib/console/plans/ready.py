"""Ready plans to begin with, and the billable metrics that they need. They stand in `ready_plans.json`, in the API's form;
charges name their metric by its code."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejson

from chalicelib.console.plans import plan_form
from chalicelib.console.plans.plan_form import PlanForm
from chalicelib.console.visit import Visit
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.platform.http.inside import path_of

_FILE = Path(__file__).with_name("ready_plans.json")
# In the place of the id of a metric that is made with the plan, before its code.
NEW = "new:"


@dataclass(frozen=True, slots=True)
class Ready:
    """One ready plan. `plan`: fields of the API; `note`: what else this way of pricing takes."""

    key: str
    name: str
    text: str
    note: str
    metrics: Sequence[Mapping[str, Any]]
    plan: Mapping[str, Any]


@functools.lru_cache(maxsize=1)
def all_ready() -> Mapping[str, Ready]:
    """All ready plans by key, in their order."""
    listed = simplejson.loads(_FILE.read_text(encoding="utf-8"), use_decimal=True)
    return {each["key"]: Ready(**each) for each in listed}


def find(key: str) -> Ready | None:
    """The ready plan of a key."""
    return all_ready().get(key)


def form_of(visit: Visit, ready: Ready) -> PlanForm:
    """A form that it fills: metrics that exist are taken by their code, others are made with the plan."""
    present = billable_metrics.by_codes(visit.organization.id, [each["code"] for each in ready.metrics])
    charges = [
        {**charge, "lago_billable_metric_id": present[code].id if code in present else NEW + code}
        for charge in ready.plan["charges"]
        for code in [charge["billable_metric_code"]]
    ]
    return plan_form.of_plan(
        {**ready.plan, "amount_currency": visit.organization.default_currency, "charges": charges}, {}
    )


def present_codes(visit: Visit) -> set[str]:
    """The codes among those that ready plans need whose metric exists."""
    codes = {each["code"] for ready in all_ready().values() for each in ready.metrics}
    return set(billable_metrics.by_codes(visit.organization.id, sorted(codes)))


def make_metrics(visit: Visit, form: PlanForm, ready: Ready) -> None:
    """Make the metrics that the form's charges still lack, and let the charges name them. One that somebody has made
    meanwhile is taken as it is."""
    by_code = {each["code"]: each for each in ready.metrics}
    for number in form.rows("charges"):
        field = f"charges.{number}.billable_metric_id"
        code = form.value(field).removeprefix(NEW)
        if not form.value(field).startswith(NEW) or code not in by_code:
            continue
        found = billable_metrics.by_codes(visit.organization.id, [code])
        if code in found:
            form.values[field] = [found[code].id]
        else:
            made = visit.api.post(path_of("billable_metrics"), {"billable_metric": dict(by_code[code])})
            form.values[field] = [made["billable_metric"]["lago_id"]]
