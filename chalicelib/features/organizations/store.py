"""Where organizations are kept.

Items
    pk                      sk    what it is
    <org>#organization      -     the organization
    <org>#numbers           -     counters of its documents: customers, invoices
    invitation#<sha256>     -     an invitation by its token's hash

Access patterns
    1 get(id)                       GetItem   consistent
    2 create(organization, ...)     Transact  organization, first key and invitation together
    3 replace_action(old, new)      Put       conditional on the version read; part of a change's transaction
    4 numbers(id)                   GetItem   consistent
    5 number_action(...)            Update    conditional on the number read: without gaps; part of an issue's transaction
    6 next_number(id, name)         Update    atomic: may leave gaps, but writers never meet
    7 ids()                         Scan      for maintenance only
    8 without_hmac_key(it)          Update    conditional on the version read
"""

from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.features.organizations.records import Organization
from chalicelib.platform.collection import dump
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.table import core, transact
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item


def get(organization_id: OrganizationId) -> Organization | None:
    """The organization under an id."""
    item = core.get(*_key(organization_id))
    return None if item is None else Organization.model_validate(item["record"] | {"version": item["version"]})


def ids() -> Iterator[str]:
    """The ids of all organizations; a scan of the whole table, for maintenance only."""
    # Keys of other items have more parts.
    request = {
        "TableName": core.name,
        "ProjectionExpression": "pk",
        "FilterExpression": "sk = :one AND contains(pk, :it)",
    }
    values = {":one": {"S": "-"}, ":it": {"S": "#organization"}}
    for page in core.client.get_paginator("scan").paginate(**request, ExpressionAttributeValues=values):
        for item in page["Items"]:
            organization_id, *rest = item["pk"]["S"].split("#")
            if rest == ["organization"]:
                yield organization_id


def create(extra: Sequence[Write], organization: Organization) -> None:
    """Store a new organization behind `extra`, in one transaction.

    Raises: Cancelled, with the reasons in this order.
    """
    numbers = core.create({"pk": numbers_key(organization.id)[0], "sk": "-", "customers": 0, "invoices": 0})
    transact([*extra, core.create(_item(organization)), numbers])


def replace_action(old: Organization, new: Organization) -> Write:
    """Write `new`, which has the next version, over `old`; refused if somebody else wrote in between."""
    return core.put(_item(new), condition="version = :version", values={":version": old.version})


def without_hmac_key(organization: Organization) -> Write:
    """Take the key of an earlier version out of the record; refused if somebody else wrote in between."""
    return core.update(
        _key(organization.id),
        "SET version = :next REMOVE #r.hmac_key",
        names={"#r": "record"},
        values={":next": organization.version + 1, ":version": organization.version},
        condition="version = :version",
    )


def numbers_key(organization_id: OrganizationId) -> Key:
    """Where the counters of an organization's documents stand."""
    return key(organization_id, "numbers"), "-"


def numbers(organization_id: OrganizationId) -> Item:
    """The last numbers given out: {"customers", "invoices"}."""
    return core.get(*numbers_key(organization_id)) or {"customers": 0, "invoices": 0}


def next_number(organization_id: OrganizationId, name: str) -> int:
    """Draw a number at once, in a write of its own: two callers never wait for each other, and never get the same one. A
    number whose object is not made after all stays unused."""
    return core.next_number(numbers_key(organization_id), name)


def number_action(organization_id: OrganizationId, name: str, *, seen: int) -> Write:
    """Draw the number after `seen`; refused if somebody else drew it meanwhile, so that no number is lost or doubled."""
    return core.update(
        numbers_key(organization_id),
        "SET #n = :next",
        names={"#n": name},
        values={":next": seen + 1, ":seen": seen},
        condition="#n = :seen",
    )


def invitation(token_hash: str, organization_id: OrganizationId, email: str, created_at: str) -> Write:
    """The action that stores an invitation."""
    values: dict[str, Any] = {"organization_id": organization_id, "email": email, "status": "pending"}
    return core.create({"pk": f"invitation#{token_hash}", "sk": "-", "created_at": created_at, **values})


def _key(organization_id: OrganizationId) -> Key:
    return key(organization_id, "organization"), "-"


def _item(organization: Organization) -> Item:
    pk, sk = _key(organization.id)
    return {"pk": pk, "sk": sk, "version": organization.version, "record": dump(organization)}
