"""Storage of events that providers sent.

Items
    pk                                        sk    what it is
    <org>#provider-event#<connection>#<id>    -     an event that was received, and when; it goes after 90 days

Access patterns
    1 unknown(org, connection, ids)    BatchGet   consistent: the ids of those that were not received yet
    2 receive(org, connection, id, at)   part of the transaction that writes its task; refused where it was received before
"""

from collections.abc import Sequence
from datetime import datetime

from chalicelib import limits
from chalicelib.platform.attributes import InstantAttribute, WholeAttribute
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, PaymentProviderId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class ReceivedRow(Row):
    """An event that was received."""

    received_at = InstantAttribute()
    expires_at = WholeAttribute()


def unknown(organization_id: OrganizationId, connection_id: PaymentProviderId, ids: Sequence[str]) -> list[str]:
    """Those of the events' ids under which none was received yet, each once."""
    wanted = list(dict.fromkeys(ids))
    known = ReceivedRow.find_many([_key(organization_id, connection_id, each) for each in wanted])
    return [each for each in wanted if _key(organization_id, connection_id, each) not in known]


def receive(organization_id: OrganizationId, connection_id: PaymentProviderId, event_id: str, at: datetime) -> Write:
    """Note an event as received."""
    pk, sk = _key(organization_id, connection_id, event_id)
    expires_at = int((at + limits.PROVIDER_EVENT_KEPT).timestamp())
    return ReceivedRow(pk=pk, sk=sk, received_at=at, expires_at=expires_at).create()


def _key(organization_id: OrganizationId, connection_id: PaymentProviderId, event_id: str) -> Key:
    return key(organization_id, "provider-event", connection_id, event_id), "-"
