"""Storage of add-ons.

Items
    pk                      sk    what it is
    <org>#add_on#<id> ...   -     platform/collection.py

Access patterns
    1 ADD_ONS.*             platform/collection.py
"""

from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection, Record
from chalicelib.platform.ids import AddOnId, TaxId


class AddOn(Record):
    """An add-on. `amount_cents`: the price of one unit."""

    id: AddOnId
    name: str
    code: str
    amount_cents: int
    amount_currency: str
    invoice_display_name: str | None = None
    description: str | None = None
    tax_ids: tuple[TaxId, ...] = ()


class AddOnRow(CatalogRow):
    """An add-on."""

    record = RecordAttribute(AddOn)


ADD_ONS = Collection("add_on", AddOn, AddOnRow, code=lambda a: a.code, search=lambda a: f"{a.name}\n{a.code}")
