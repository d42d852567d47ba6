"""Storage of add-ons.

Items
    pk                      sk    what it is
    <org>#add_on#<id> ...   -     platform/collection.py

Access patterns
    1 ADD_ONS.*             platform/collection.py
"""

from chalicelib.features.add_ons.records import AddOn
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import CatalogRow, Collection


class AddOnRow(CatalogRow):
    """An add-on."""

    record = RecordAttribute(AddOn)


ADD_ONS = Collection("add_on", AddOn, AddOnRow, code=lambda a: a.code, search=lambda a: f"{a.name}\n{a.code}")
