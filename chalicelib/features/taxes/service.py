"""Creating, changing and resolving taxes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.taxes.records import Tax
from chalicelib.features.taxes.store import TAXES, default_actions, default_ids
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, TaxId, new_id
from chalicelib.platform.timestamps import iso
from chalicelib.platform.unit import Write

# Drafts take a changed tax. Source: rules/catalog 2.
REFRESH = agenda.kind("refresh_taxed_drafts", rank=13)

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
    tasks = [_refresh_task(call, tax, everywhere=True)] if tax.applied_to_organization else []
    return TAXES.create(call.organization.id, tax, [*extra, *(agenda.put(each, now=call.now) for each in tasks)]), tasks


def update(call: Call, old: Tax, values: dict[str, Any]) -> tuple[Tax, list[Task]]:
    """Change a tax; issued invoices keep their copy.

    Raises: Invalid; ChangedMeanwhile.
    """
    request = schema.parse(TaxUpdate, values)
    new = old.changed(now=call.now, **request.given())
    before, after = old.applied_to_organization, new.applied_to_organization
    extra = default_actions(call.organization.id, old.id, before=before, after=after)
    shown = {"name", "code", "rate", "description", "applied_to_organization"}
    if old.model_dump(include=shown) == new.model_dump(include=shown):
        return TAXES.replace(call.organization.id, old, new, extra), []
    task = _refresh_task(call, new, everywhere=after and not before)
    return TAXES.replace(call.organization.id, old, new, [*extra, agenda.put(task, now=call.now)]), [task]


def remove(call: Call, old: Tax) -> tuple[Tax, list[Task]]:
    """Delete a tax: from now on it counts nowhere."""
    extra = default_actions(call.organization.id, old.id, before=old.applied_to_organization, after=False)
    task = _refresh_task(call, old, everywhere=False)
    return TAXES.remove(call.organization.id, old, now=call.now, extra=[*extra, agenda.put(task, now=call.now)]), [task]


def applied_only(
    organization: OrganizationRef, codes: Sequence[str], *, now: datetime
) -> tuple[list[Write], list[Task]]:
    """The writes and tasks by which these taxes, and no others, are applied to the whole organization.

    Raises: NotFound, when one is unknown.
    """
    wanted = TAXES.get_many(organization.id, ids_of(organization.id, codes))
    before = {tax.id: tax for tax in of_organization(organization.id)}
    writes: list[Write] = []
    tasks: list[Task] = []
    for tax in [*wanted.values(), *(tax for tax in before.values() if tax.id not in wanted)]:
        applied = tax.id in wanted
        if applied == tax.applied_to_organization:
            continue
        new = tax.changed(now=now, applied_to_organization=applied)
        writes.append(TAXES.replace_action(organization.id, tax, new))
        writes += default_actions(organization.id, tax.id, before=not applied, after=applied)
        detail = {"tax_id": tax.id, "everywhere": True}
        tasks.append(agenda.task(REFRESH, organization, f"{tax.id}#{tax.version}", now, detail))
    return writes, tasks


def _refresh_task(call: Call, tax: Tax, *, everywhere: bool) -> Task:
    """The task that computes drafts again: those with the tax, or all of them."""
    detail = {"tax_id": tax.id, "everywhere": everywhere}
    return agenda.task(REFRESH, call.organization, f"{tax.id}#{tax.version}", call.now, detail)


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
