"""How many of the messages of the last day are failing, by hour and endpoint: for those who look after an organization. No rule
rests on it.

Items
    pk                        sk                  what it is
    <org>#webhook-failing     <hour>#<endpoint>   `messages`: those of that hour whose last attempt failed; for two days

Access patterns
    1 counted(old, new)       Update    part of the transaction that notes what became of a message
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
    """Failing messages of an endpoint that were made in one hour."""

    messages = WholeAttribute(null=True)
    expires_at = WholeAttribute(null=True)


def counted(old: Message, new: Message) -> list[Write]:
    """Count what a change of a message makes of it, while it is young enough to be shown."""
    more = _is_failing(new) - _is_failing(old)
    if not more or new.created_at + _KEPT < new.updated_at:
        return []
    place = key(new.organization_id, "webhook-failing"), key(_hour(new.created_at), new.endpoint_id)
    until = int((new.created_at + _KEPT).timestamp())
    return [FailingRow.change(place, FailingRow.messages.add(more), FailingRow.expires_at.set(until))]


def lately(organization_id: OrganizationId, *, real_now: datetime) -> tuple[Mapping[WebhookEndpointId, int], datetime]:
    """How many messages of each endpoint are failing that were made in the last 24 hours, and the beginning of the hour from
    which on they are counted."""
    since = (real_now - _LATELY).replace(minute=0, second=0, microsecond=0)
    found: Counter[WebhookEndpointId] = Counter()
    for row in FailingRow.select(key(organization_id, "webhook-failing"), within=FailingRow.sk >= _hour(since)):
        found[WebhookEndpointId(row.sk.partition("#")[2])] += row.messages or 0
    return found, since


def _is_failing(message: Message) -> int:
    return int(message.status in ("retrying", "failed"))


def _hour(at: datetime) -> str:
    return stamp(at)[:13]
