"""How many messages began to fail, by hour and endpoint: for those who look after an organization. No rule rests on it.

Items
    pk                        sk                  what it is
    <org>#webhook-failing     <hour>#<endpoint>   `messages`: those whose first attempt failed in that hour; kept for two days

Access patterns
    1 counted(message)        Update    part of the transaction that notes the attempt
    2 lately(org, ...)        Query     all of an organization from an hour on
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.features.webhooks.records import Message
from chalicelib.platform.attributes import WholeAttribute
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

_LATELY, _KEPT = timedelta(days=1), timedelta(days=2)


class FailingRow(Row):
    """Messages of an endpoint that began to fail in an hour."""

    messages = WholeAttribute(null=True)
    expires_at = WholeAttribute(null=True)


def counted(message: Message, *, at: datetime) -> Write:
    """Count a message whose first attempt failed."""
    place = key(message.organization_id, "webhook-failing"), key(_hour(at), message.endpoint_id)
    until = int((at + _KEPT).timestamp())
    return FailingRow.change(place, FailingRow.messages.add(1), FailingRow.expires_at.set(until))


def lately(organization_id: OrganizationId, *, real_now: datetime) -> tuple[Mapping[WebhookEndpointId, int], datetime]:
    """How many messages of each endpoint began to fail in the last 24 hours, and the beginning of the hour from which on they
    are counted."""
    since = (real_now - _LATELY).replace(minute=0, second=0, microsecond=0)
    found: Counter[WebhookEndpointId] = Counter()
    for row in FailingRow.select(key(organization_id, "webhook-failing"), within=FailingRow.sk >= _hour(since)):
        found[WebhookEndpointId(row.sk.partition("#")[2])] += row.messages or 0
    return found, since


def _hour(at: datetime) -> str:
    return stamp(at)[:13]
