"""What an organization's metrics say of the events of their codes: what is wrong with an event, and by what its usage is kept.

A process keeps what it has read for a while. So it may count by what a metric was a moment ago: such rows say so, as they name
the definition (views.py), and readers go by what the metric is now. A sandbox reads anew each time, so that a test finds what
it has just defined.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib import limits
from chalicelib.domain.aggregation.faults import Expected
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.features.billable_metrics.store import METRICS, Metric
from chalicelib.features.metering import dimensions
from chalicelib.features.metering.dimensions import View
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.log import logger

# Metrics that a process remembers, by organization and code.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Definition:
    """Of one metric. `view`: how its usage is kept; `priced_view`: how that of events is that bring prices along;
    `is_distinct`: values are counted, for which there may be registers."""

    expected: Expected
    view: View | None
    priced_view: View | None
    is_distinct: bool


# By code; None: no live metric has it.
Definitions = Mapping[str, Definition | None]


@dataclass(frozen=True, slots=True)
class _Remembered:
    definition: Definition | None
    read_at: float


_known: dict[tuple[str, str], _Remembered] = {}


def of(organization: OrganizationRef, codes: Iterable[str]) -> Definitions | None:
    """What the metrics of these codes say; None where they cannot be read: events must be counted whatever happens to
    other tables."""
    oldest = time.monotonic() - limits.METRICS_KEPT.total_seconds()
    found: dict[str, Definition | None] = {}
    for code in () if organization.sandbox else set(codes):
        known = _known.get((organization.id, code))
        if known is not None and known.read_at >= oldest:
            found[code] = known.definition
    wanted = sorted(set(codes) - set(found))
    if not wanted:
        return found
    try:
        read_at, metrics = time.monotonic(), METRICS.find_many(organization.id, wanted)
    except Exception:  # noqa: BLE001  as said above
        logger.exception("metrics not read", extra={"organization": organization.id})
        return None
    if len(_known) > _REMEMBERED:
        _known.clear()
    for code in wanted:
        found[code] = _definition(metrics[code]) if code in metrics else None
        _known[(organization.id, code)] = _Remembered(found[code], read_at)
    return found


def forget() -> None:
    """Drop what this process knows."""
    _known.clear()


def view_of(metric: Metric, open_keys: Iterable[str] = ()) -> View | None:
    """How a metric's usage is kept, by further properties too where they are named."""
    listed = {each.key: each.values for each in metric.filters}
    return dimensions.of_metric(metric.aggregation_type, metric.field_name, listed, open_keys)


def priced_view_of(metric: Metric) -> View | None:
    """How usage is kept for prices that events bring along, of which plain sums say nothing."""
    aggregation = metric.aggregation_type
    return view_of(metric) or (View(aggregation, metric.field_name) if aggregation is Aggregation.SUM else None)


def _definition(metric: Metric) -> Definition:
    listed = {each.key: each.values for each in metric.filters}
    paths = [group.choice.path for group in groups_of(metric)]
    expected = Expected(metric.aggregation_type, metric.field_name, listed, paths)
    is_distinct = metric.aggregation_type == Aggregation.UNIQUE_COUNT
    return Definition(expected, view_of(metric), priced_view_of(metric), is_distinct)
