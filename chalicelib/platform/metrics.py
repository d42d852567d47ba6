"""Metrics: lines of the log in CloudWatch's embedded metric format."""

from collections.abc import Mapping

NAMESPACE = "Tollgate"


def count(name: str, number: int = 1, *, by: Mapping[str, str] | None = None, **more: str) -> None:
    """Add `number` to a metric. `by`: its dimensions; each combination of values is a metric of its own. `more`:
    fields of the line that are no dimensions."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=name, unit=MetricUnit.Count, value=number, namespace=NAMESPACE) as metric:
        for dimension, value in (by or {}).items():
            metric.add_dimension(name=dimension, value=value)
        for key, value in more.items():
            metric.add_metadata(key, value)
