"""Storage of organizations.

Items
    pk                      sk    what it is
    <org>#organization      -     the organization, under its optimistic lock
    <org>#numbers           -     counters of its documents: customers, invoices

Access patterns
    1 get(id)                       GetItem   consistent
    2 create(organization, ...)     Transact  organization, counters, first key and what else comes with it
    3 replace_action(old, new)      Put       optimistic lock; part of a change's transaction
    4 numbers(id)                   GetItem   consistent
    5 number_action(...)            Update    conditional on the number read: without gaps; part of an issue's transaction
    6 next_number(id, name)         Update    atomic: may leave gaps, but writers never meet
    7 ids()                         Scan      for maintenance only
    8 without_hmac_key(it)          Update    optimistic lock; part of the transaction that writes the key elsewhere
    9 get_many(ids)                 BatchGetItem   the organizations of one user
"""

from collections.abc import Iterator, Sequence

from pynamodb.expressions.operand import Path

from chalicelib.features.organizations.records import Organization
from chalicelib.platform import dynamodb, rows
from chalicelib.platform.attributes import RecordAttribute, WholeAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Unit, Write


class OrganizationRow(RecordRow):
    """An organization."""

    record = RecordAttribute(Organization)


class NumbersRow(Row):
    """The last numbers given out to an organization's documents."""

    customers = WholeAttribute()
    invoices = WholeAttribute()


def get(organization_id: OrganizationId) -> Organization | None:
    """The organization under an id."""
    found = OrganizationRow.find(*_key(organization_id))
    return None if found is None else found.value


def get_many(organization_ids: Sequence[OrganizationId]) -> list[Organization]:
    """The organizations under these ids that there are, in their order."""
    keys = [_key(each) for each in organization_ids]
    found = OrganizationRow.find_many(keys)
    return [found[key].value for key in keys if key in found]


def ids() -> Iterator[str]:
    """The ids of all organizations; a scan of the whole table, for maintenance only."""
    # Keys of other items have more parts.
    for pk, _ in rows.scan((Row.sk == "-") & Row.pk.contains("#organization")):
        organization_id, *rest = pk.split("#")
        if rest == ["organization"]:
            yield organization_id


def create(extra: Sequence[Write], organization: Organization) -> None:
    """Store a new organization behind `extra`, in one transaction.

    Raises: a refusal of `extra`; Cancelled, when collisions did not end.
    """
    pk, sk = numbers_key(organization.id)
    Unit(extra, _row(organization).create(), NumbersRow(pk=pk, sk=sk, customers=0, invoices=0).create()).commit()


def replace_action(old: Organization, new: Organization) -> Write:
    """Replace `old` by `new`, which has the next version, under the optimistic lock."""
    return _row(new).replace(old.version)


def without_hmac_key(organization: Organization) -> Write:
    """Remove the key of an earlier version from the record, under the optimistic lock."""
    return OrganizationRow.change(
        _key(organization.id),
        OrganizationRow.version.set(organization.version + 1),
        rows.field("hmac_key").remove(),
        condition=OrganizationRow.version == organization.version,
    )


def numbers_key(organization_id: OrganizationId) -> Key:
    """Key of the counters of an organization's documents."""
    return key(organization_id, "numbers"), "-"


def numbers(organization_id: OrganizationId) -> dict[str, int]:
    """The last numbers given out: {"customers", "invoices"}."""
    found = NumbersRow.find(*numbers_key(organization_id))
    return {"customers": found.customers if found else 0, "invoices": found.invoices if found else 0}


def next_number(organization_id: OrganizationId, name: str) -> int:
    """Draw a number at once, in a write of its own: two callers never wait for each other, and never get the same one. A
    number whose object is not made after all stays unused."""
    raised = NumbersRow.change(numbers_key(organization_id), Path([name]).add(1))
    return int(dynamodb.alone(raised.action, returned="UPDATED_NEW")["Attributes"][name]["N"])


def number_action(organization_id: OrganizationId, name: str, *, seen: int) -> Write:
    """Draw the number after `seen`; refused if somebody else drew it meanwhile, so that no number is lost or doubled."""
    number = Path([name])
    return NumbersRow.change(numbers_key(organization_id), number.set(seen + 1), condition=number == seen)


def _key(organization_id: OrganizationId) -> Key:
    return key(organization_id, "organization"), "-"


def _row(organization: Organization) -> OrganizationRow:
    pk, sk = _key(organization.id)
    return OrganizationRow(pk=pk, sk=sk, version=organization.version, record=organization)
