"""An add-on as it is kept."""

from chalicelib.platform.collection import Record
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
