"""Definitions: for each event code, its metric's expectations of events, and the rollup dimension that keeps its usage.

A process caches definitions for a while, so it may count by an outdated one. Rows name the definition they were
written by (dimensions.py), and readers go by the current one. Sandboxes are not cached, so that a test finds what it
has just defined.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chalicelib import limits
from chalicelib.domain.aggregation.faults import Expected
from chalicelib.domain.aggregation.rules import Aggregation
from chalicelib.features.billable_metrics import service as billable_metrics
from chalicelib.features.billable_metrics.groups import groups_of
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.metering import dimensions
from chalicelib.features.metering.dimensions import RollupDimension
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.log import logger

# The cache of this process: definitions by organization and code.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of one metric.

    `dimension`: its rollup dimension; `priced_dimension`: the one for events that carry prices; `is_distinct`: it
    counts distinct values, for which there may be distinct counters.
    """

    expected: Expected
    dimension: RollupDimension | None
    priced_dimension: RollupDimension | None
    is_distinct: bool


# By code; None: no live metric has it.
Definitions = Mapping[str, Definition | None]


@dataclass(frozen=True, slots=True)
class _Remembered:
    definition: Definition | None
    read_at: float


_known: dict[tuple[str, str], _Remembered] = {}


def of(organization: OrganizationRef, codes: Iterable[str]) -> Definitions | None:
    """The definitions of these codes; None where they cannot be read: events must be counted even if other
    tables fail."""
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
        read_at, metrics = time.monotonic(), billable_metrics.by_codes(organization.id, wanted)
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
    """Empty the caches of this process."""
    _known.clear()


def dimension_of(metric: Metric, open_keys: Iterable[str] = ()) -> RollupDimension | None:
    """The rollup dimension of a metric; of its filters' keys and of the further properties that are named."""
    listed = {each.key: each.values for each in metric.filters}
    return dimensions.of_metric(metric.aggregation_type, metric.field_name, listed, open_keys)


def priced_dimension_of(metric: Metric) -> RollupDimension | None:
    """The rollup dimension that also sums the prices that events carry."""
    aggregation = Aggregation(metric.aggregation_type)
    return dimension_of(metric) or (
        RollupDimension(aggregation, metric.field_name) if aggregation is Aggregation.SUM else None
    )


def _definition(metric: Metric) -> Definition:
    listed = {each.key: each.values for each in metric.filters}
    paths = [group.choice.path for group in groups_of(metric)]
    expected = Expected(metric.aggregation_type, metric.field_name, listed, paths)
    is_distinct = metric.aggregation_type == Aggregation.UNIQUE_COUNT
    return Definition(expected, dimension_of(metric), priced_dimension_of(metric), is_distinct)
