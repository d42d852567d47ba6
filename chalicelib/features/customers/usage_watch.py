"""Subscriptions whose usage somebody waits for: the meter asks after it has counted events.

Few customers have wallets. Their subscriptions' external ids stand in a few small items per organization, which the meter
reads in one request for a batch. All others cost nothing.

Items
    pk                    sk        what it is
    <org>#usage-watch     <00..15>  `s:<hash of the external id>`: whose subscription it is

Access patterns
    1 watched(org, ids)   BatchGet  the shards of these ids
    2 actions(...)        part of the transaction that makes a customer watched, or starts a subscription of such a one
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import agenda, rows
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, key, shard
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write

# Looks at a customer's wallets: the threshold of a rule, or an ongoing balance that is used up. After billing.
REFRESH = agenda.kind("refresh_wallets", rank=60)


def watched(organization_id: OrganizationId, external_ids: Iterable[str]) -> dict[str, CustomerId]:
    """Those of these external ids that are watched, each with its customer; read in one request."""
    names = {each: _name(each) for each in external_ids}
    places = list(dict.fromkeys(_place(organization_id, name) for name in names.values()))
    values = rows.find_many_values(places)
    found = {each: values.get(_place(organization_id, name), {}).get(name) for each, name in names.items()}
    return {each: CustomerId(customer) for each, customer in found.items() if customer is not None}


def actions(
    organization_id: OrganizationId, customer_id: CustomerId, external_ids: Sequence[str], *, watch: bool
) -> list[Write]:
    """Watch a customer's subscriptions, or watch them no more."""
    by_place: dict[Key, list[str]] = {}
    for name in dict.fromkeys(map(_name, external_ids)):
        by_place.setdefault(_place(organization_id, name), []).append(name)
    return [
        Row.change(place, *(Path([name]).set(customer_id) if watch else Path([name]).remove() for name in names))
        for place, names in by_place.items()
    ]


def refresh_task(organization: OrganizationRef, customer_id: CustomerId, occasion: str, due_at: datetime) -> Task:
    """The task that looks at a customer's wallets. `occasion`: its cause, of which there is one task."""
    return agenda.task(REFRESH, organization, f"{customer_id}#{occasion}", due_at)


def _name(external_id: str) -> str:
    return f"s:{sha256(external_id.encode()).hexdigest()[:24]}"


def _place(organization_id: OrganizationId, name: str) -> Key:
    return key(organization_id, "usage-watch"), f"{shard(name, limits.COUNTER_SPREAD):02d}"
