"""Leases on pushing the rest of an organization's due tasks: one chain of messages per organization and shard.

Items
    pk              sk          what it is
    <org>#pushing   <00..15>    {token, until}: the rest of the organization's tasks of this shard is being pushed, by the
                                messages that carry this token; taken for lost after `until`, and expires then

Access patterns
    1 begin(org, shard, token)      Put     unless somebody does it already
    2 goes_on(org, shard, token)    Update  refused to messages of before
    3 end(org, shard, token)        Delete
"""

from datetime import datetime

from chalicelib import limits
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.table import ConditionFailed, Key, core
from chalicelib.platform.timestamps import stamp


def begin(organization_id: OrganizationId, shard: int, token: str, *, real_now: datetime) -> bool:
    """Take the lease; False where another chain holds it."""
    pk, sk = _key(organization_id, shard)
    until = real_now + limits.PUSHING_KEPT
    item = {"pk": pk, "sk": sk, "token": token, "until": stamp(until), "expires_at": int(until.timestamp())}
    free = core.put(
        item,
        condition="attribute_not_exists(pk) OR #until < :now",
        names={"#until": "until"},
        values={":now": stamp(real_now)},
    )
    try:
        core.write(free)
    except ConditionFailed:
        return False
    return True


def goes_on(organization_id: OrganizationId, shard: int, token: str, *, real_now: datetime) -> bool:
    """Extend the lease; False where this token does not hold it any more."""
    until = real_now + limits.PUSHING_KEPT
    mine = core.update(
        _key(organization_id, shard),
        "SET #until = :until, expires_at = :expires",
        condition="#token = :token",
        names={"#until": "until", "#token": "token"},
        values={":until": stamp(until), ":expires": int(until.timestamp()), ":token": token},
    )
    try:
        core.write(mine)
    except ConditionFailed:
        return False
    return True


def end(organization_id: OrganizationId, shard: int) -> None:
    """Release the lease: all tasks are pushed."""
    core.write(core.delete(_key(organization_id, shard)))


def _key(organization_id: OrganizationId, shard: int) -> Key:
    return key(organization_id, "pushing"), f"{shard:02d}"
