"""Checks that an organization's metrics make of each incoming event: formulas, and valid operations for recurring counts of the
legacy API. One short query reads them all. It finds nothing for most organizations, and a process caches its answer for a
while. Source: rules/usage 2, 3.2.

A sandbox reads them anew each time, so that a test sees a metric that it has just defined.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib import limits
from chalicelib.domain.aggregation import expressions
from chalicelib.domain.aggregation.expression_steps import ExpressionError, Facts
from chalicelib.domain.aggregation.resources import Naming
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.billable_metrics import store
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId


@dataclass(frozen=True, slots=True)
class Formula:
    """Formula of a metric, and the property that its result is written to."""

    field_name: str
    expression: str

    def applied(self, code: str, timestamp_ms: int, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The properties with the formula's result. `timestamp_ms`: milliseconds since 1970, UTC.

        Raises: Invalid, where the event gives it none.
        """
        facts = Facts(code, Decimal(timestamp_ms).scaleb(-3), properties)
        try:
            value = expressions.evaluate(self.expression, facts)
        except ExpressionError as error:
            raise Invalid.field("expression", ErrorCode.EXPRESSION_EVALUATION_FAILED) from error
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return {**properties, self.field_name: int(value)}
        return {**properties, self.field_name: value}


@dataclass(frozen=True, slots=True)
class Asked:
    """By the metric's code: formulas, and how events name the resources that they add and remove."""

    formulas: Mapping[str, Formula]
    resources: Mapping[str, Naming]
    read_at: float


_known: dict[str, Asked] = {}


def of(organization: OrganizationRef) -> Mapping[str, Formula]:
    """The formulas of the live metrics that have one, by the metric's code."""
    return asked(organization).formulas


def asked(organization: OrganizationRef) -> Asked:
    """Checks of the live metrics. Cached, but for sandboxes."""
    known = _known.get(organization.id)
    fresh = known is not None and time.monotonic() - known.read_at <= limits.METRICS_KEPT.total_seconds()
    if known is not None and fresh and not organization.sandbox:
        return known
    read_at = time.monotonic()
    asked = store.formulas(organization.id)
    found = _known[organization.id] = Asked(
        {each.code: Formula(each.field_name, each.expression) for each in asked if each.expression},
        {each.code: Naming(each.field_name, tuple(each.keys)) for each in asked if each.keys is not None},
        read_at,
    )
    return found


def forget(organization_id: OrganizationId) -> None:
    """Drop what this process knows: a metric has just changed in it."""
    _known.pop(organization_id, None)
