"""Metrics: lines of the log that CloudWatch reads."""

from collections.abc import Mapping

NAMESPACE = "Tollgate"


def count(name: str, number: int = 1, *, by: Mapping[str, str] | None = None, **more: str) -> None:
    """Count something. `by`: dimensions, of which each combination is a metric of its own; `more`: told in the line only."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=name, unit=MetricUnit.Count, value=number, namespace=NAMESPACE) as metric:
        for dimension, value in (by or {}).items():
            metric.add_dimension(name=dimension, value=value)
        for key, value in more.items():
            metric.add_metadata(key, value)
