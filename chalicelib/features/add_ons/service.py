"""Creating, changing and resolving add-ons."""

from collections.abc import Sequence
from typing import Any

from chalicelib.features.add_ons.records import AddOn
from chalicelib.features.add_ons.schemas import AddOnInput
from chalicelib.features.add_ons.store import ADD_ONS
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, new_id
from chalicelib.platform.timestamps import iso

# The add-ons, as other rooms read them: by id, by code, by pages.
CATALOG: Catalog[AddOn] = ADD_ONS


def create(call: Call, values: dict[str, Any]) -> tuple[AddOn, list[Task]]:
    """A new add-on.

    Raises: Invalid; NotFound for an unknown tax.
    """
    request = schema.parse(AddOnInput, values)
    add_on = AddOn(
        id=new_id(),
        created_at=call.now,
        updated_at=call.now,
        tax_ids=tuple(taxes.ids_of(call.organization.id, request.tax_codes)),
        **request.model_dump(exclude={"tax_codes"}),
    )
    return ADD_ONS.create(call.organization.id, add_on), []


def update(call: Call, old: AddOn, values: dict[str, Any]) -> tuple[AddOn, list[Task]]:
    """Change an add-on; issued invoices keep their copy. Source: rules/catalog 2.

    Raises: Invalid; NotFound for an unknown tax; ChangedMeanwhile.
    """
    before = old.model_dump(include=set(AddOnInput.model_fields))
    request = schema.parse(AddOnInput, before | values)
    fields = request.model_dump(exclude={"tax_codes"})
    if "tax_codes" in values:
        fields["tax_ids"] = tuple(taxes.ids_of(call.organization.id, request.tax_codes))
    return ADD_ONS.replace(call.organization.id, old, old.changed(now=call.now, **fields)), []


def remove(call: Call, old: AddOn) -> tuple[AddOn, list[Task]]:
    """Delete an add-on. Fixed charges that use it leave their plans with it: readers pass over them."""
    return ADD_ONS.remove(call.organization.id, old, now=call.now), []


def by_ids(organization_id: OrganizationId, ids: Sequence[str]) -> dict[str, AddOn]:
    """Add-ons by id, deleted ones too."""
    return ADD_ONS.get_many(organization_id, list(dict.fromkeys(ids)))


def by_codes(organization_id: OrganizationId, codes: Sequence[str]) -> dict[str, AddOn]:
    """Live add-ons by code."""
    return ADD_ONS.find_many(organization_id, codes)


def show_all(organization_id: OrganizationId, add_ons: Sequence[AddOn]) -> list[dict[str, Any]]:
    """Several add-ons as the API shows them; their taxes are read in one request."""
    tax_ids = {tax_id for add_on in add_ons for tax_id in add_on.tax_ids}
    known = {tax.id: tax for tax in taxes.live(organization_id, tax_ids)}
    return [
        {
            "lago_id": add_on.id,
            "name": add_on.name,
            "invoice_display_name": add_on.invoice_display_name,
            "code": add_on.code,
            "amount_cents": add_on.amount_cents,
            "amount_currency": add_on.amount_currency,
            "description": add_on.description,
            "created_at": iso(add_on.created_at),
            "taxes": [taxes.show(known[tax_id]) for tax_id in add_on.tax_ids if tax_id in known],
        }
        for add_on in add_ons
    ]
