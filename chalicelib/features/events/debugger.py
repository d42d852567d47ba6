"""Debugger: the events received lately, the last first, with their senders and faults.

Events that were refused never appear. Source: rules/usage 1.5; decisions/0010.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.aggregation import faults
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.customers import service as customer_service
from chalicelib.features.customers.records import Customer
from chalicelib.features.events import log_pages, lookup, service
from chalicelib.features.metering import log_numbers, log_reader, reading
from chalicelib.features.metering.event import event_id, payload_of
from chalicelib.features.metering.log_items import Reference
from chalicelib.features.subscriptions.records import Live
from chalicelib.platform import clock, listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.timestamps import iso_millis, unstamp
from chalicelib.platform.values import Item

_ANY = "any"
_LATELY = timedelta(hours=24)


def page(call: Call) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """One page of the log, and its `meta`.

    Raises: Invalid, for a warning that there is not.
    """
    service.wait_for_events(call.organization)
    organization, wanted, real_now = call.organization, listing.wanted(call), clock.utc_now()
    filter_ = _Filter(call)
    if filter_.transaction_id is None:
        chosen, meta = log_pages.page(organization, log_reader.BY_RECEPTION, filter_, wanted, real_now)
    else:  # As many as subscriptions have an event of this id.
        found = log_reader.of_transaction(organization.id, filter_.transaction_id, real_now)
        kept = [reference for reference in found if filter_.keeps(reference)]
        chosen = kept[(wanted.number - 1) * wanted.size : wanted.number * wanted.size]
        meta = listing.meta(wanted, len(kept))
    return _show_all(organization.id, chosen), meta


def warned_lately(organization_id: OrganizationId, *, real_now: datetime) -> tuple[int, datetime]:
    """How many events with warnings were received in the last 24 hours, and the beginning of the hour from which on they are
    counted: numbers are kept by hours."""
    since = (real_now - _LATELY).replace(minute=0, second=0, microsecond=0)
    return log_numbers.warned_since(organization_id, since, real_now), since


class _Filter:
    """Filter of a list. `warnings[]` names faults: an event must have one of them; `any` means all of them."""

    def __init__(self, call: Call) -> None:
        names = parameters.words(call, ("warnings", "warning"), (*faults.WARNINGS, _ANY))
        self._bits = sum({faults.WARNINGS[name] for name in names if name != _ANY})
        if _ANY in names:
            self._bits = sum(faults.WARNINGS.values())
        self._code = call.one("code")
        self._subscription = call.one("external_subscription_id")
        self.transaction_id = call.one("transaction_id")

    @property
    def name(self) -> Sequence[Any]:
        """Values that identify the filter."""
        return [self._bits, self._code, self._subscription]

    def of_day(self, day: str) -> bool | None:
        """Whether all events of any day stay; None: it depends on the event."""
        return True if self._code is None and self._subscription is None and not self._bits else None

    def keeps(self, reference: Reference) -> bool:
        """Whether an event stays in the list."""
        return (
            self._code in (None, reference.code)
            and self._subscription in (None, reference.external_subscription_id)
            and (not self._bits or bool(self._bits & reference.faults))
        )


def _show_all(organization_id: OrganizationId, references: Sequence[Reference]) -> list[dict[str, Any]]:
    stored = log_reader.stored(organization_id, references)
    owners = lookup.owners(organization_id, [item for _, item in stored])
    known = metrics.by_codes(organization_id, list(dict.fromkeys(item["code"] for _, item in stored)))
    customers = customer_service.get_many(
        organization_id, sorted({owner.customer_id for owner in owners.values() if owner})
    )
    shown = []
    for reference, item in stored:
        owner = owners[item["subscription"]]
        customer = customers.get(owner.customer_id) if owner else None
        shown.append(_show(organization_id, reference, item, owner, customer, known.get(item["code"])))
    return shown


def _show(
    organization_id: OrganizationId,
    reference: Reference,
    item: Item,
    owner: Live | None,
    customer: Customer | None,
    metric: Metric | None,
) -> dict[str, Any]:
    event = reading.read(item)
    return {
        "lago_id": event_id(organization_id, event),
        "transaction_id": event.transaction_id,
        "code": event.code,
        "billable_metric_name": metric.name if metric else None,
        "timestamp": iso_millis(event.at),
        "received_at": iso_millis(unstamp(item["received"])),
        "external_customer_id": customer.external_id if customer else None,
        "lago_customer_id": owner.customer_id if owner else None,
        "external_subscription_id": event.external_subscription_id,
        "lago_subscription_id": owner.subscription_id if owner else None,
        "source_ip": reference.source.ip or None,
        "api_client": reference.source.client or None,
        "warnings": faults.warnings_of(reference.faults),
        "payload": payload_of(event),
    }
