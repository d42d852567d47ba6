"""Storage of what lanes and numbering keep beside the log: planned attempts, replays, streams and whose turn it is.

Items
    pk                                          sk                  what it is
    <org>#webhook-planned#<endpoint>            <run_at>#<number>   a planned attempt; holds while the message says the same
    <org>#webhook-replay#<endpoint>             <id>                a replay
    <org>#webhook-streams                       <endpoint>          an endpoint with messages, deleted or not
    <org>#webhook-numbering                     -                   {leased_until, woken}: whose turn it is, who knocked
    <org>#task#webhook_stream#<endpoint>        -                   a stream (platform/agenda/standing.py)

Access patterns
    1 plan(...), unplan(...), planned(org, endpoint, ...)   Put, Delete, Query
    2 put_replay(...), replay(...), replays(...)            Put, GetItem, Query
    3 enter_stream(...), leave_stream(...), endpoints_ever(org)   Put, Put, Query
    4 open_gate(...), knock(...), close_gate(...)           Update    conditional
"""

from datetime import datetime

from pynamodb.attributes import BooleanAttribute
from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.features.webhooks.records import Message, Replay
from chalicelib.platform import rows
from chalicelib.platform.attributes import InstantAttribute, RecordAttribute, WholeAttribute
from chalicelib.platform.dynamodb import ConditionFailed, Key
from chalicelib.platform.ids import OrganizationId, WebhookEndpointId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


class PlannedRow(Row):
    """A planned attempt."""

    sequence = WholeAttribute()
    run_at = InstantAttribute()
    expires_at = WholeAttribute()


class ReplayRow(Row):
    """A replay."""

    record = RecordAttribute(Replay)
    expires_at = WholeAttribute()


class StreamRow(Row):
    """An endpoint that has or had messages."""

    expires_at = WholeAttribute(null=True)


class GateRow(Row):
    """Whose turn it is to number an organization's messages."""

    leased_until = InstantAttribute(null=True)
    woken = BooleanAttribute(null=True)


# Planned attempts.


def plan(message: Message) -> Write:
    """Enter the attempt that a message plans."""
    assert message.next_attempt_at is not None, "an attempt is planned"
    return PlannedRow(
        pk=_planned_pk(message.organization_id, message.endpoint_id),
        sk=_planned_sk(message.next_attempt_at, message.sequence),
        sequence=message.sequence,
        run_at=message.next_attempt_at,
        expires_at=_expires(message.created_at),
    ).put()


def unplan(
    organization_id: OrganizationId, endpoint_id: WebhookEndpointId, run_at: datetime | None, sequence: int
) -> list[Write]:
    """Remove a planned attempt, where there is one."""
    if run_at is None:
        return []
    return [PlannedRow.remove_key((_planned_pk(organization_id, endpoint_id), _planned_sk(run_at, sequence)))]


def planned(
    organization_id: OrganizationId, endpoint_id: WebhookEndpointId, *, until: datetime | None, at_most: int
) -> list[tuple[datetime, int]]:
    """Planned attempts up to an instant (None: all), the earliest first: when, and of which message."""
    within = None if until is None else Path(["sk"]).between("0", f"{stamp(until)}$")
    page = rows.page(_planned_pk(organization_id, endpoint_id), within=within, limit=at_most)
    return [(row.run_at, row.sequence) for row in map(PlannedRow.read, page.items)]


# Replays.


def put_replay(organization_id: OrganizationId, replay: Replay) -> Write:
    """Write a replay."""
    return ReplayRow(
        pk=_replay_pk(organization_id, replay.endpoint_id),
        sk=replay.id,
        record=replay,
        expires_at=_expires(replay.created_at),
    ).put()


def replay(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, replay_id: str) -> Replay | None:
    """A replay, read consistently."""
    found = ReplayRow.find(_replay_pk(organization_id, endpoint_id), replay_id)
    return None if found is None else found.record


def replays(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> list[Replay]:
    """The replays of an endpoint, the oldest first."""
    return [row.record for row in ReplayRow.select(_replay_pk(organization_id, endpoint_id))]


# Streams, and the gate of numbering.


def enter_stream(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> Write:
    """Enter an endpoint among those that have messages."""
    return StreamRow(pk=key(organization_id, "webhook-streams"), sk=endpoint_id).put()


def leave_stream(organization_id: OrganizationId, endpoint_id: WebhookEndpointId, *, now: datetime) -> Write:
    """Let an endpoint go once the last of its messages has expired."""
    end = int((now + limits.WEBHOOK_PAYLOAD_KEPT).timestamp())
    return StreamRow(pk=key(organization_id, "webhook-streams"), sk=endpoint_id, expires_at=end).put()


def endpoints_ever(organization_id: OrganizationId) -> list[WebhookEndpointId]:
    """The endpoints that have messages in the log, deleted ones too."""
    return [WebhookEndpointId(row.sk) for row in StreamRow.select(key(organization_id, "webhook-streams"))]


def open_gate(organization_id: OrganizationId, *, now: datetime) -> bool:
    """Take the turn to number an organization's messages; False where somebody else has it."""
    free = GateRow.leased_until.does_not_exist() | (GateRow.leased_until < now)
    taken = GateRow.leased_until.set(now + limits.WEBHOOK_NUMBERING_LEASE)
    return _is_done(GateRow.change(_gate_key(organization_id), taken, GateRow.woken.remove(), condition=free))


def knock(organization_id: OrganizationId, *, now: datetime) -> bool:
    """Have whoever has the turn look once more; False where nobody has it."""
    held = GateRow.leased_until >= now
    return _is_done(GateRow.change(_gate_key(organization_id), GateRow.woken.set(True), condition=held))


def close_gate(organization_id: OrganizationId) -> bool:
    """Give the turn back; False where somebody knocked meanwhile, which is answered by looking once more."""
    quiet = GateRow.woken.does_not_exist()
    if _is_done(GateRow.change(_gate_key(organization_id), GateRow.leased_until.remove(), condition=quiet)):
        return True
    GateRow.change(_gate_key(organization_id), GateRow.woken.remove()).alone()
    return False


def _is_done(write: Write) -> bool:
    try:
        write.alone()
    except ConditionFailed:
        return False
    return True


def _planned_sk(run_at: datetime, sequence: int) -> str:
    return f"{stamp(run_at)}#{sequence:012d}"


def _expires(created_at: datetime) -> int:
    return int((created_at + limits.WEBHOOK_LOG_KEPT).timestamp())


def _planned_pk(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> str:
    return key(organization_id, "webhook-planned", endpoint_id)


def _replay_pk(organization_id: OrganizationId, endpoint_id: WebhookEndpointId) -> str:
    return key(organization_id, "webhook-replay", endpoint_id)


def _gate_key(organization_id: OrganizationId) -> Key:
    return key(organization_id, "webhook-numbering"), "-"
