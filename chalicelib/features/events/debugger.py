"""The debugger: the events that came in lately, the last first, with who sent them and what is odd about them.

Events that were refused never appear. Source: usage.md section 1.5, docs/decisions/0010.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.domain.aggregation import faults
from chalicelib.features.billable_metrics import service as metrics
from chalicelib.features.billable_metrics.store import Metric
from chalicelib.features.customers.records import Customer
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.features.events import erased, service
from chalicelib.features.events.event import event_id, payload_of
from chalicelib.features.metering import log
from chalicelib.features.metering import store as metered
from chalicelib.features.metering.log import Entry
from chalicelib.platform import listing, parameters
from chalicelib.platform.http import Call
from chalicelib.platform.table import Item, usage
from chalicelib.platform.timestamps import iso_millis, unstamp

_ANY = "any"


def page(call: Call) -> tuple[list[dict[str, Any]], dict[str, int | None]]:
    """One page of the log, and its `meta`.

    Raises: Invalid, for a warning that there is not.
    """
    service.wait_for_events(call.organization)
    wanted = listing.wanted(call)
    filter_ = _Filter(call)
    entries = erased.without(call.organization.id, log.listed(call.organization.id, filter_.keeps))
    chosen = entries[(wanted.number - 1) * wanted.size : wanted.number * wanted.size]
    return _show_all(call.organization.id, chosen), listing.meta(wanted, len(entries))


class _Filter:
    """What a list leaves. `warnings[]` names those that an event must have one of; `any`: whichever."""

    def __init__(self, call: Call) -> None:
        names = parameters.words(call, ("warnings", "warning"), (*faults.WARNINGS, _ANY))
        self._bits = sum({faults.WARNINGS[name] for name in names if name != _ANY})
        if _ANY in names:
            self._bits = sum(faults.WARNINGS.values())
        self._code = call.one("code")
        self._subscription = call.one("external_subscription_id")
        self._transaction = call.one("transaction_id")

    def keeps(self, entry: Entry) -> bool:
        """Whether an entry stays in the list."""
        return (
            self._code in (None, entry.code)
            and self._subscription in (None, entry.external_subscription_id)
            and self._transaction in (None, entry.transaction_id)
            and (not self._bits or bool(self._bits & entry.faults))
        )


def _show_all(organization_id: str, entries: list[Entry]) -> list[dict[str, Any]]:
    items = usage.get_many([entry.key(organization_id) for entry in entries])
    pairs = [(entry, items.get(entry.key(organization_id))) for entry in entries]
    # What is logged and not stored yet shows up when it is.
    stored = [(entry, item) for entry, item in pairs if item is not None]
    owners = service.owners(organization_id, [item for _, item in stored])
    known = metrics.by_codes(organization_id, list(dict.fromkeys(item["code"] for _, item in stored)))
    customers = CUSTOMERS.get_many(organization_id, sorted({o["customer_id"] for o in owners.values() if o}))
    shown = []
    for entry, item in stored:
        owner = owners[item["subscription"]]
        customer = customers.get(owner["customer_id"]) if owner else None
        shown.append(_show(organization_id, entry, item, owner, customer, known.get(item["code"])))
    return shown


def _show(
    organization_id: str,
    entry: Entry,
    item: Item,
    owner: Mapping[str, Any],
    customer: Customer | None,
    metric: Metric | None,
) -> dict[str, Any]:
    event = metered.read(item)
    return {
        "lago_id": event_id(organization_id, event),
        "transaction_id": event.transaction_id,
        "code": event.code,
        "billable_metric_name": metric.name if metric else None,
        "timestamp": iso_millis(event.at),
        "received_at": iso_millis(unstamp(item["received"])),
        "external_customer_id": customer.external_id if customer else None,
        "lago_customer_id": owner.get("customer_id"),
        "external_subscription_id": event.external_subscription_id,
        "lago_subscription_id": owner.get("subscription_id"),
        "source_ip": entry.source.ip or None,
        "api_client": entry.source.client or None,
        "warnings": faults.warnings_of(entry.faults),
        "payload": payload_of(event),
    }
