"""Storage of endpoints.

Items
    pk                                  sk      what it is
    <org>#webhook_endpoint#<id> ...     -       an endpoint (platform/collection.py; uniqueness item: its URL)
    <org>#webhook-endpoints             -       {version}: the optimistic lock of the set of endpoints; absent before the
                                                first change
    <org>#webhook-endpoints             <id>    a live endpoint of the set

Access patterns
    1 ENDPOINTS.*                   platform/collection.py
    2 endpoint_set(org), live(org)  Query     consistent: all endpoints, at most ten, and the version of their set
    3 EndpointSet.enter_actions, EndpointSet.leave_actions
                                    part of an endpoint's transaction: what was decided on the whole set still holds
"""

from dataclasses import dataclass

from chalicelib.features.webhooks.records import Endpoint
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class EndpointRow(CatalogRow):
    """An endpoint."""

    record = RecordAttribute(Endpoint)


class SetRow(Row):
    """An item of the set of endpoints: its lock, which alone has a version, or a live endpoint."""

    version = WholeAttribute(null=True)


# The sort key of a set's lock.
_LOCK = "-"

ENDPOINTS = Collection(
    "webhook_endpoint", Endpoint, EndpointRow, code=lambda endpoint: endpoint.webhook_url, code_field="webhook_url"
)


@dataclass(frozen=True, slots=True)
class EndpointSet:
    """All endpoints of an organization, the oldest first. `version`: of the set as it was read (0 before the first
    change): a decision on the whole set (a limit, which one is the first) is written only while it stands."""

    organization_id: OrganizationId
    endpoints: tuple[Endpoint, ...]
    version: int

    def enter_actions(self, endpoint_id: WebhookEndpointId) -> list[Write]:
        """Add an endpoint to the set. Refused if the set has changed."""
        return [self._lock_action(), SetRow(pk=_set_pk(self.organization_id), sk=endpoint_id).put()]

    def leave_actions(self, endpoint_id: WebhookEndpointId) -> list[Write]:
        """Remove an endpoint from the set. Refused if the set has changed."""
        return [self._lock_action(), SetRow.remove_key((_set_pk(self.organization_id), endpoint_id))]

    def _lock_action(self) -> Write:
        lock = SetRow(pk=_set_pk(self.organization_id), sk=_LOCK, version=self.version + 1)
        return lock.create() if self.version == 0 else lock.put(SetRow.version == self.version)


def endpoint_set(organization_id: OrganizationId) -> EndpointSet:
    """The endpoints of an organization, read consistently."""
    # The lock sorts before all ids, so its version is never newer than the endpoints read after it.
    members = {row.sk: row for row in SetRow.select(_set_pk(organization_id))}
    lock = members.pop(_LOCK, None)
    found = ENDPOINTS.get_many(organization_id, list(members)) if members else {}
    endpoints = sorted((e for e in found.values() if e.deleted_at is None), key=lambda e: (e.created_at, e.id))
    return EndpointSet(organization_id, tuple(endpoints), (lock and lock.version) or 0)


def live(organization_id: OrganizationId) -> list[Endpoint]:
    """All endpoints of an organization, oldest first."""
    return list(endpoint_set(organization_id).endpoints)


def _set_pk(organization_id: OrganizationId) -> str:
    return key(organization_id, "webhook-endpoints")
