"""Storage of taxes.

Items
    pk                      sk          what it is
    <org>#tax#<id> ...      -           platform/collection.py
    <org>#default-taxes     <tax id>    this tax is applied to the organization

Access patterns
    1 TAXES.*                   platform/collection.py
    2 default_ids(org)          Query     consistent
    3 default_actions(...)      part of the tax's own transaction
"""

from chalicelib.features.taxes.records import Tax
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection
from chalicelib.platform.ids import OrganizationId, TaxId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class TaxRow(CatalogRow):
    """A tax."""

    record = RecordAttribute(Tax)


class DefaultTaxRow(Row):
    """A tax that is applied to the organization; its sort key is the tax's id."""


TAXES = Collection("tax", Tax, TaxRow, code=lambda tax: tax.code, search=lambda tax: f"{tax.name}\n{tax.code}")


def default_ids(organization_id: OrganizationId) -> list[str]:
    """The ids of the taxes applied to the organization."""
    return [row.sk for row in DefaultTaxRow.select(_defaults(organization_id))]


def default_actions(organization_id: OrganizationId, tax_id: TaxId, *, before: bool, after: bool) -> list[Write]:
    """Enter a tax in the default list, or take it out."""
    if before == after:
        return []
    row = DefaultTaxRow(pk=_defaults(organization_id), sk=tax_id)
    return [row.put() if after else row.remove()]


def _defaults(organization_id: OrganizationId) -> str:
    return key(organization_id, "default-taxes")
