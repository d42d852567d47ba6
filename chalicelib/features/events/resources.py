"""Operations that the legacy API refuses for recurring counts: adding an active value, removing an inactive one.
Source: rules/usage 3.2.

A value is active after all events of the subscription's stream metered so far, and after those before it in the same
request. This only reads, and only where an event's metric was declared as `recurring_count_agg`: its whole history.
A sandbox waits for events in flight, so that each event finds those sent before it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from chalicelib.domain.aggregation.levels import ADD, OPERATION, REMOVE
from chalicelib.domain.aggregation.resources import Naming, Resource
from chalicelib.domain.periods import Span
from chalicelib.features.metering import layout
from chalicelib.features.metering.event import Event
from chalicelib.features.subscriptions import service as subscriptions
from chalicelib.features.usage import service as usage_of
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.usage_table import usage

Findings = dict[str, list[str]]

# Events of any date, future ones too.
_EVER = Span(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def findings_of_entry(entry: Mapping[str, Any], namings: Mapping[str, Naming]) -> Findings:
    """Further faults of an entry that is refused anyway."""
    code, properties = entry.get("code"), entry.get("properties")
    naming = namings.get(code) if isinstance(code, str) else None
    return {} if naming is None else naming.wrong_operation(properties if isinstance(properties, Mapping) else {})


def findings(
    organization: OrganizationRef,
    events: Mapping[int, Event],
    namings: Mapping[str, Naming],
    *,
    wait: Callable[[OrganizationRef], None],
) -> dict[int, Findings]:
    """Faults of the events of a request, by their place in it. A repeated event, stored or of this request, has no
    fault and changes nothing."""
    checked = {place: event for place, event in events.items() if event.code in namings}
    if not checked:
        return {}
    wait(organization)
    active = _active(organization, checked, namings)
    # After the events were read: what is among them is known by now.
    keys = {place: layout.event_key(organization.id, *_name(event)) for place, event in checked.items()}
    known = usage.get_many(list(keys.values()))
    done: set[tuple[str, str]] = set()
    found: dict[int, Findings] = {}
    for place, event in checked.items():
        if keys[place] in known or _name(event) in done:
            continue
        done.add(_name(event))
        naming, held = namings[event.code], active[(event.external_subscription_id, event.code)]
        wrong = naming.findings(event.properties, held)
        if wrong:
            found[place] = wrong
        else:
            _carry_out(naming, event, held)
    return found


def _active(
    organization: OrganizationRef, checked: Mapping[int, Event], namings: Mapping[str, Naming]
) -> dict[tuple[str, str], set[Resource]]:
    """The resources that are active now, by subscription and code."""
    codes: dict[str, set[str]] = {}
    for event in checked.values():
        codes.setdefault(event.external_subscription_id, set()).add(event.code)
    found = {}
    for subscription, own in codes.items():
        stream = subscriptions.stream_of(organization.id, subscription)
        readings = usage_of.readings(organization, stream, _EVER, own, with_history=True)
        for code in own:
            found[(subscription, code)] = namings[code].active(readings[code])
    return found


def _carry_out(naming: Naming, event: Event, held: set[Resource]) -> None:
    resource, said = naming.resource(event.properties), event.properties.get(OPERATION)
    if resource is not None and said == ADD:
        held.add(resource)
    elif resource is not None and said == REMOVE:
        held.remove(resource)


def _name(event: Event) -> tuple[str, str]:
    return event.transaction_id, event.external_subscription_id
