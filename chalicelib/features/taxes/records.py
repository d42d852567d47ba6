"""A tax as it is kept."""

from decimal import Decimal

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import TaxId


class Tax(Record):
    """A tax. `rate` in percent, exact."""

    id: TaxId
    name: str
    code: str
    rate: Decimal
    description: str | None = None
    applied_to_organization: bool = False
