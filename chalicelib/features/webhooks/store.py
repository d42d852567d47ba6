"""Storage of endpoints and messages.

Items
    pk                                  sk      what it is
    <org>#webhook_endpoint#<id> ...     -       an endpoint (platform/collection.py; uniqueness item: its URL)
    <org>#webhook-endpoints             -       {version}: the optimistic lock of the set of endpoints; absent before the
                                                first change
    <org>#webhook-endpoints             <id>    a live endpoint of the set
    <org>#webhook#<id>                  -       a message to one endpoint; expires after 90 days
        index list: <org>#webhook       <created_at>#<id>

Access patterns
    1 ENDPOINTS.*                   platform/collection.py
    2 endpoint_set(org), live(org)  Query     consistent: all endpoints, at most ten, and the version of their set
    3 EndpointSet.enter_actions, EndpointSet.leave_actions
                                    part of an endpoint's transaction: what was decided on the whole set still holds
    4 get(org, id)                  GetItem   consistent
    5 messages(org)                 Query     index list
    6 create_action(message)        Put       refused where the message exists; part of the announcement's transaction
    7 replace_action(old, new)      Put       optimistic lock on the stamp of the last change
"""

from dataclasses import dataclass

from chalicelib import limits
from chalicelib.features.webhooks.records import Endpoint, Message
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, key
from chalicelib.platform.rows import Listed, Row, Searched
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


class EndpointRow(CatalogRow):
    """An endpoint."""

    record = RecordAttribute(Endpoint)


class SetRow(Row):
    """An item of the set of endpoints: its lock, which alone has a version, or a live endpoint."""

    version = WholeAttribute(null=True)


class MessageRow(Listed, Searched):
    """A message. `updated`: its optimistic lock."""

    record = RecordAttribute(Message)
    updated = InstantAttribute()
    expires_at = WholeAttribute()


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


def get(organization_id: OrganizationId, message_id: str) -> Message | None:
    """A message, read consistently."""
    row = MessageRow.find(key(organization_id, "webhook", message_id))
    return None if row is None else row.record


def messages(organization_id: OrganizationId, status: str | None = None) -> list[Message]:
    """Messages of the last 90 days, newest first."""
    found = MessageRow.select(key(organization_id, "webhook"), index="list", descending=True)
    return [row.record for row in found if status is None or row.record.status == status]


def create_action(message: Message) -> Write:
    """Store a new message; refused if it was made before."""
    return _row(message).create()


def replace_action(old: Message, new: Message) -> Write:
    """Write a message's next state; refused if another delivery of it wrote meanwhile."""
    return _row(new).put(MessageRow.updated == old.updated_at)


def _row(message: Message) -> MessageRow:
    expires = message.created_at + limits.WEBHOOK_LOG_KEPT
    return MessageRow(
        pk=key(message.organization_id, "webhook", message.id),
        sk="-",
        record=message,
        updated=message.updated_at,
        list_pk=key(message.organization_id, "webhook"),
        list_sk=f"{stamp(message.created_at)}#{message.id}",
        words=rows.words_of(message.id, message.object_id),
        expires_at=int(expires.timestamp()),
    )


def _set_pk(organization_id: OrganizationId) -> str:
    return key(organization_id, "webhook-endpoints")
