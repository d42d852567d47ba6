"""The purchase that a credit invoice bills, as changes of the invoice rest on it. Source: rules/invoices 8.2; rules/money 4.

Each answer comes with the writes that hold what it rests on: who settles or ends meanwhile makes the change run again.
"""

from datetime import datetime

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Forbidden
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


def receiving(organization_id: OrganizationId, invoice: Invoice, *, now: datetime) -> list[Write]:
    """The writes that hold that the wallet of a purchase can still take its credits; none for other invoices.

    Raises: Forbidden, where the wallet has ended.
    """
    if invoice.purchase_id is None:
        return []
    entry = wallets.transaction(organization_id, invoice.purchase_id)
    wallet = wallets.find(organization_id, entry.wallet_id)
    if not wallet.usable(now):
        raise Forbidden(ErrorCode.INVALID_TYPE_OR_STATUS)
    return [wallet_writing.check_wallet(organization_id, wallet)]
