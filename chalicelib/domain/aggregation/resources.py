"""Resources that events add and remove, and which of these operations are possible: the legacy API's rule for metrics declared
as `recurring_count_agg`. Source: rules/usage 3.2."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.aggregation.levels import ADD, OPERATION, REMOVE
from chalicelib.domain.aggregation.readings import Reading, ordered, text_of
from chalicelib.domain.error_codes import ErrorCode

# The value that names a resource, and those of its dimensions, in order of keys.
Resource = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Naming:
    """Names of a metric's resources in events. `field_name`: the property with the value. `keys`: of the metric's
    dimensions; the same value in another dimension is another resource."""

    field_name: str
    keys: tuple[str, ...] = ()

    def resource(self, properties: Mapping[str, Any]) -> Resource | None:
        """The resource that an event names; None where it has no value."""
        value = text_of(properties.get(self.field_name))
        return None if value is None else (value, *(text_of(properties.get(key)) for key in self.keys))

    def active(self, readings: Iterable[Reading]) -> set[Resource]:
        """The resources whose last operation, in order of time and of reception, was no removal."""
        found: set[Resource] = set()
        for reading in ordered(readings):
            resource = self.resource(reading.properties)
            if resource is None:
                continue
            said = reading.properties.get(OPERATION, ADD)
            if said == REMOVE:
                found.discard(resource)
            elif said in (ADD, None):
                found.add(resource)
        return found

    def wrong_operation(self, properties: Mapping[str, Any]) -> dict[str, list[str]]:
        """Faults of an event's operation, by property. Only `add` and `remove` are valid, whatever is active."""
        said = properties.get(OPERATION)
        return {} if said in (ADD, REMOVE) else {OPERATION: [ErrorCode.INVALID_OPERATION_TYPE]}

    def findings(self, properties: Mapping[str, Any], active: Set[Resource]) -> dict[str, list[str]]:
        """Faults of an event, by property, while the resources `active` are active."""
        resource, said = self.resource(properties), properties.get(OPERATION)
        if said == ADD and resource in active:
            return {self.field_name: [ErrorCode.RECURRING_RESOURCE_ALREADY_ADDED]}
        if said == REMOVE and resource is not None and resource not in active:
            return {self.field_name: [ErrorCode.RECURRING_RESOURCE_NOT_FOUND]}
        return self.wrong_operation(properties)
