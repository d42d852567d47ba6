"""Choices of a plan's form: billable metrics, add-ons and taxes, the newest first, each read by one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.console.forms import Form
from chalicelib.console.plans.plan_form import key_field, key_of
from chalicelib.console.plans.ready import NEW, Ready
from chalicelib.console.visit import Visit
from chalicelib.features.add_ons import service as add_ons
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.taxes import service as taxes

# Choices of each kind; others that a plan uses are read by their ids.
_MOST = 500
_EVERY = "__ALL_FILTER_VALUES__"
Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of a plan's form. `metrics`: in the API's form, by id; `options_of_metrics` begins with those that a ready
    plan brings along."""

    metrics: Mapping[str, Mapping[str, Any]]
    options_of_metrics: Options
    add_ons: Options
    taxes: Options

    def filter_keys(self, form: Form, place: str) -> list[tuple[str, str, Options]]:
        """The dimensions of a filter at a place such as `charges.0.filters.1`: field, key, and values to choose from. What the
        metric does not list any more stays on offer where it is chosen."""
        charge = place.rpartition(".filters.")[0]
        metric = self.metrics.get(form.value(f"{charge}.billable_metric_id"), {})
        listed = {each["key"]: list(each["values"]) for each in metric.get("filters", [])}
        start = f"{place}.values."
        for name in form.values:
            if name.startswith(start) and any(form.all(name)):
                listed.setdefault(key_of(name[len(start) :]), [])
        found = []
        for key, values in listed.items():
            field = start + key_field(key)
            gone = [value for value in form.all(field) if value not in (*values, _EVERY, "")]
            options = [(value, value) for value in (*values, *gone)]
            found.append((field, key, [(_EVERY, "Every listed value"), *options]))
        return found

    def parts(self, place: str, filters: Sequence[int]) -> Options:
        """The prices of a charge that its calculator can use."""
        return [
            (place, "Usage that no filter takes"),
            *((f"{place}.filters.{n}", f"Filter {i}") for i, n in enumerate(filters, 1)),
        ]

    def has_dimensions(self, metric_id: str) -> bool:
        """Whether a metric's usage can be priced by filters."""
        return bool(self.metrics.get(metric_id, {}).get("filters"))


def gather(visit: Visit, form: Form, ready: Ready | None = None) -> Choices:
    """Choices of a form. `ready`: the ready plan that it began with."""
    organization_id = visit.organization.id
    found = billable_metrics.CATALOG.newest(organization_id, _MOST)
    priced = _used(form, "charges", "billable_metric_id")
    missing = priced - {metric.id for metric in found} - {""}
    if missing := {each for each in missing if not each.startswith(NEW)}:
        known = billable_metrics.by_ids(organization_id, sorted(missing)).values()
        found += [metric for metric in known if metric.deleted_at is None]
    metrics = {shown["lago_id"]: shown for shown in billable_metrics.show_all(organization_id, found)}
    extra = add_ons.CATALOG.newest(organization_id, _MOST)
    offered = taxes.CATALOG.newest(organization_id, _MOST)
    return Choices(
        metrics=metrics,
        options_of_metrics=_offered(
            [
                (NEW + each["code"], f"{each['name']} ({each['code']}), made with the plan")
                for each in _brought(ready, metrics)
            ]
            + [(metric_id, f"{shown['name']} ({shown['code']})") for metric_id, shown in metrics.items()],
            "Choose a billable metric",
        ),
        add_ons=_offered([(each.id, f"{each.name} ({each.code})") for each in extra], "Choose an add-on"),
        taxes=[(each.code, f"{each.name} ({format(each.rate.normalize(), 'f')}%)") for each in offered],
    )


def _brought(ready: Ready | None, metrics: Mapping[str, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The metrics that a ready plan needs and nobody has made yet."""
    codes = {shown["code"] for shown in metrics.values()}
    return [] if ready is None else [each for each in ready.metrics if each["code"] not in codes]


def _offered(options: Options, nothing: str) -> Options:
    return [("", nothing), *options]


def _used(form: Form, group: str, field: str) -> set[str]:
    return {form.value(f"{group}.{number}.{field}") for number in form.rows(group)}
