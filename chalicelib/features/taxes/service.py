"""Creating, changing and resolving taxes."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.taxes.records import Tax
from chalicelib.features.taxes.store import TAXES, default_actions, default_ids
from chalicelib.platform import schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, TaxId, new_id
from chalicelib.platform.timestamps import iso

# The taxes, as other rooms read them: by id, by code, by pages.
CATALOG: Catalog[Tax] = TAXES


class TaxCreate(schema.Request):
    """`POST /taxes`."""

    name: schema.Name
    code: schema.Name
    rate: schema.Rate
    description: schema.OptionalText = None
    applied_to_organization: schema.Boolean = False


class TaxUpdate(TaxCreate):
    """`PUT /taxes/:code`: absent fields stay."""

    name: schema.Name = ""
    code: schema.Name = ""
    rate: schema.Rate = Decimal(0)


def create(call: Call, values: dict[str, Any]) -> tuple[Tax, list[Task]]:
    """A new tax.

    Raises: Invalid.
    """
    request = schema.parse(TaxCreate, values)
    tax = Tax(id=new_id(), created_at=call.now, updated_at=call.now, **request.model_dump())
    extra = default_actions(call.organization.id, tax.id, before=False, after=tax.applied_to_organization)
    return TAXES.create(call.organization.id, tax, extra), []


def update(call: Call, old: Tax, values: dict[str, Any]) -> tuple[Tax, list[Task]]:
    """Change a tax; issued invoices keep their copy.

    Raises: Invalid; ChangedMeanwhile.
    """
    request = schema.parse(TaxUpdate, values)
    new = old.changed(now=call.now, **request.given())
    before, after = old.applied_to_organization, new.applied_to_organization
    extra = default_actions(call.organization.id, old.id, before=before, after=after)
    return TAXES.replace(call.organization.id, old, new, extra), []


def remove(call: Call, old: Tax) -> tuple[Tax, list[Task]]:
    """Delete a tax: from now on it counts nowhere."""
    extra = default_actions(call.organization.id, old.id, before=old.applied_to_organization, after=False)
    return TAXES.remove(call.organization.id, old, now=call.now, extra=extra), []


def of_organization(organization_id: OrganizationId) -> list[Tax]:
    """The taxes applied to the whole organization, oldest first."""
    return live(organization_id, default_ids(organization_id))


def live(organization_id: OrganizationId, ids: Iterable[str]) -> list[Tax]:
    """Taxes under these ids that are not deleted, oldest first."""
    found = TAXES.get_many(organization_id, list(ids)) if ids else {}
    return sorted((t for t in found.values() if t.deleted_at is None), key=lambda t: (t.created_at, t.id))


def ids_of(organization_id: OrganizationId, codes: Sequence[str]) -> list[TaxId]:
    """The ids of the taxes with these codes.

    Raises: NotFound, when one is unknown.
    """
    found = TAXES.find_many(organization_id, codes)
    if any(code not in found for code in codes):
        raise NotFound(Resource.TAX)
    return [found[code].id for code in dict.fromkeys(codes)]


def show(tax: Tax) -> dict[str, Any]:
    """A tax as the API shows it; the rate is a JSON number."""
    return {
        "lago_id": tax.id,
        "name": tax.name,
        "code": tax.code,
        "rate": tax.rate,
        "description": tax.description,
        "applied_to_organization": tax.applied_to_organization,
        "add_ons_count": 0,
        "charges_count": 0,
        "customers_count": 0,
        "plans_count": 0,
        "created_at": iso(tax.created_at),
    }


def show_all(organization_id: OrganizationId, taxes: Sequence[Tax]) -> list[dict[str, Any]]:
    """Several taxes."""
    return [show(tax) for tax in taxes]
