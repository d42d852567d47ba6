"""The purchase that a credit invoice bills, as changes of the invoice rest on it. Source: rules/invoices 8.2; rules/money 4.

Each answer comes with the writes that hold what it rests on: who settles or ends meanwhile makes the change run again.
"""

from chalicelib.features.invoices.records import Invoice
from chalicelib.features.wallets import reading as wallets
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.unit import Write


def settled(organization_id: OrganizationId, invoice: Invoice) -> tuple[bool, list[Write]]:
    """Whether the purchase of an invoice is settled. False of an invoice that bills none."""
    if invoice.purchase_id is None:
        return False, []
    entry = wallets.transaction(organization_id, invoice.purchase_id)
    return entry.status == "settled", [wallet_writing.check_entry(organization_id, entry)]
