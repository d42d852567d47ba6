"""Leases on pushing the rest of an organization's due tasks: one chain of messages per organization and shard.

Items
    pk              sk          what it is
    <org>#pushing   <00..15>    {token, until}: the rest of the organization's tasks of this shard is being pushed, by the
                                messages that carry this token; taken for lost after `until`, and expires then

Access patterns
    1 begin(org, shard, token)      Put     refused while another chain holds the lease
    2 goes_on(org, shard, token)    Update  refused to messages of an earlier chain
    3 end(org, shard)               Delete
"""

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.platform.attributes import InstantAttribute, WholeAttribute
from chalicelib.platform.dynamodb import ConditionFailed, Key
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row


class PushingRow(Row):
    """Lease on pushing the rest of an organization's tasks of one shard. `token` names its holder's chain of
    messages."""

    token = UnicodeAttribute()
    until = InstantAttribute()
    expires_at = WholeAttribute()


def begin(organization_id: OrganizationId, shard: int, token: str, *, real_now: datetime) -> bool:
    """Take the lease; False where another chain holds it."""
    pk, sk = _key(organization_id, shard)
    until = real_now + limits.PUSHING_KEPT
    row = PushingRow(pk=pk, sk=sk, token=token, until=until, expires_at=int(until.timestamp()))
    try:
        row.put(PushingRow.pk.does_not_exist() | (PushingRow.until < real_now)).alone()
    except ConditionFailed:
        return False
    return True


def goes_on(organization_id: OrganizationId, shard: int, token: str, *, real_now: datetime) -> bool:
    """Extend the lease; False where this token does not hold it any more."""
    until = real_now + limits.PUSHING_KEPT
    mine = PushingRow.change(
        _key(organization_id, shard),
        PushingRow.until.set(until),
        PushingRow.expires_at.set(int(until.timestamp())),
        condition=PushingRow.token == token,
    )
    try:
        mine.alone()
    except ConditionFailed:
        return False
    return True


def end(organization_id: OrganizationId, shard: int) -> None:
    """All is pushed."""
    PushingRow.remove_key(_key(organization_id, shard)).alone()


def _key(organization_id: OrganizationId, shard: int) -> Key:
    return key(organization_id, "pushing"), f"{shard:02d}"
