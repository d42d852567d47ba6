"""Storage of messages, payloads and attempts, which expire after 90 days.

Messages of an endpoint stand in blocks of 128 by their number, so that no key takes all writes of a busy night, and a range of
numbers is a few queries. Nothing is copied into an index: the id of a message tells where it stands.

Items
    pk                                          sk                  what it is
    <org>#webhook-log#<endpoint>#<block>        <number>            a message; 1 KB
    <org>#webhook-attempts#<endpoint>#<number>  <attempt>           an attempt before the latest one
    <org>#webhook-payload#<hash>                -                   {body | file}: a payload, compressed, once for all endpoints

Access patterns
    1 message(org, endpoint, number), messages_of(...)      GetItem, BatchGetItem   consistent
    2 block(org, endpoint, block, ...)                      Query     consistent: a block's messages in their order
    3 create(message), replace(old, new)                    Put       refused where another writer was faster
    4 keep_attempt(message), attempts(message)              Put, Query
    5 put_payload(org, text, ...), payloads(org, keys)      Put, BatchGetItem
"""

import hashlib
import zlib
from collections.abc import Iterable
from datetime import datetime

from pynamodb.attributes import BinaryAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.features.webhooks.records import Attempt, Message
from chalicelib.platform import clock, files, rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class MessageRow(Row):
    """A message. `updated`: its optimistic lock."""

    record = RecordAttribute(Message)
    updated = InstantAttribute()
    expires_at = WholeAttribute()


class AttemptRow(Row):
    """An attempt."""

    record = RecordAttribute(Attempt)
    expires_at = WholeAttribute()


class PayloadRow(Row):
    """A payload: in the row itself, or as a file."""

    body = BinaryAttribute(legacy_encoding=False, null=True)
    file = UnicodeAttribute(null=True)
    expires_at = WholeAttribute()


# Messages.


def message(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, sequence: int) -> Message | None:
    """A message, read consistently."""
    found = MessageRow.find(*message_key(organization_id, endpoint_id, sequence))
    return None if found is None else found.record


def messages_of(
    organization_id: OrganizationId, endpoint_id: WebhookEndpointId, sequences: Iterable[int]
) -> dict[int, Message]:
    """The messages of these numbers, as far as they are there, read consistently."""
    found = messages_at(organization_id, [(endpoint_id, n) for n in sequences])
    return {sequence: message for (_, sequence), message in found.items()}


def messages_at(
    organization_id: OrganizationId, places: Iterable[tuple[WebhookEndpointId, int]]
) -> dict[tuple[WebhookEndpointId, int], Message]:
    """The messages of these endpoints and numbers, as far as they are there, read consistently."""
    found = MessageRow.find_many([message_key(organization_id, each, n) for each, n in places])
    return {(row.record.endpoint_id, row.record.sequence): row.record for row in found.values()}


def block(
    organization_id: OrganizationId,
    endpoint_id: WebhookEndpointId,
    number: int,
    *,
    first: int = 0,
    last: int | None = None,
    where: Condition | None = None,
    descending: bool = False,
    limit: int | None = None,
) -> list[Message]:
    """The messages of a block from number `first` to `last`. `where`: a filter. A block of messages of 8 KB is one request."""
    end = (number + 1) * limits.WEBHOOK_BLOCK - 1 if last is None else last
    within = Path(["sk"]).between(_sk(first), _sk(end))
    pk = _block_pk(organization_id, endpoint_id, number)
    found: list[Message] = []
    for row in MessageRow.select(pk, within=within, where=where, descending=descending, limit=limit):
        found.append(row.record)
        if limit is not None and len(found) == limit:
            break
    return found


def create(message: Message) -> Write:
    """Store a new message; refused if there is one of its number."""
    return _message_row(message).create()


def replace(old: Message, new: Message) -> Write:
    """Write a message's next state; refused if another writer was faster."""
    return _message_row(new).put(MessageRow.updated == old.updated_at)


def message_key(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, sequence: int) -> Key:
    """The key of a message."""
    return _block_pk(organization_id, endpoint_id, sequence // limits.WEBHOOK_BLOCK), _sk(sequence)


# Attempts.


def keep_attempt(message: Message) -> list[Write]:
    """Give the latest attempt a row of its own, before another one follows."""
    if message.last is None:
        return []
    row = AttemptRow(
        pk=_attempts_pk(message),
        sk=f"{message.last.number:06d}",
        record=message.last,
        expires_at=_expires(message.created_at),
    )
    return [row.put()]


def attempts(message: Message, *, at_most: int) -> list[Attempt]:
    """The attempts of a message in their order, of very many the latest ones."""
    page = rows.page(_attempts_pk(message), descending=True, limit=at_most)
    earlier = [AttemptRow.read(item).record for item in page.items]
    return [*reversed(earlier), *([] if message.last is None else [message.last])][-at_most:]


# Payloads.


def put_payload(organization_id: OrganizationId, text: str, *, now: datetime) -> str:
    """Store a payload; its name. The same text has the same name: an attempt that loses its race changes nothing that the
    winner announces."""
    raw = text.encode()
    name = hashlib.sha256(raw).hexdigest()[:40]
    body = zlib.compress(raw, 6)
    row = PayloadRow(
        pk=key(organization_id, "webhook-payload", name),
        sk="-",
        expires_at=int((now + limits.WEBHOOK_PAYLOAD_KEPT).timestamp()),
    )
    if len(body) <= limits.WEBHOOK_PAYLOAD_BYTES_MAX:
        row.body = body
    else:
        row.file = f"{organization_id}/webhooks/{name}.json"
        files.put(row.file, raw, "application/json")
    row.put().alone()
    return name


def payloads(organization_id: OrganizationId, names: Iterable[str]) -> dict[str, str]:
    """Payloads by their names, as far as they are there."""
    wanted = {(key(organization_id, "webhook-payload", name), "-"): name for name in names}
    found = PayloadRow.find_many(list(wanted))
    return {wanted[each]: text_of(row) for each, row in found.items()}


def payload_key(organization_id: OrganizationId, name: str) -> Key:
    """The key of a payload, for reads of several kinds of row together."""
    return key(organization_id, "webhook-payload", name), "-"


def text_of(row: PayloadRow) -> str:
    """The payload in a row."""
    if row.body is not None:
        return zlib.decompress(row.body).decode()
    return files.get(str(row.file)).decode()


def _message_row(message: Message) -> MessageRow:
    pk, sk = message_key(message.organization_id, message.endpoint_id, message.sequence)
    return MessageRow(pk=pk, sk=sk, record=message, updated=message.updated_at, expires_at=_expires(message.created_at))


def _expires(created_at: datetime) -> int:
    return int((created_at + limits.WEBHOOK_LOG_KEPT).timestamp())


def is_kept(message: Message) -> bool:
    """Whether a message belongs to the log still: expired items are removed hours later."""
    return message.created_at + limits.WEBHOOK_LOG_KEPT > clock.utc_now()


def _sk(sequence: int) -> str:
    return f"{sequence:012d}"


def _block_pk(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, number: int) -> str:
    return key(organization_id, "webhook-log", endpoint_id, str(number))


def _attempts_pk(message: Message) -> str:
    return key(message.organization_id, "webhook-attempts", message.endpoint_id, str(message.sequence))
