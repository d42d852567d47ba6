"""Amounts of an invoice, from the totals that the domain computes."""

from chalicelib.domain.invoicing.steps import Totals
from chalicelib.features.invoices.parts import AppliedTaxPart
from chalicelib.platform.ids import InvoiceId, derived_id


def of(sums: Totals, invoice_id: InvoiceId) -> dict[str, object]:
    """Totals as an invoice keeps them."""
    return {
        "fees_amount_cents": sums.fees_amount_cents,
        "coupons_amount_cents": sums.coupons_amount_cents,
        "taxes_amount_cents": sums.taxes.amount_cents,
        "taxes_rate": format(sums.taxes.rate.normalize(), "f"),
        "sub_total_excluding_taxes_amount_cents": sums.sub_total_excluding_taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": sums.sub_total_including_taxes_amount_cents,
        "credit_notes_amount_cents": sums.credit_notes_amount_cents,
        "prepaid_credit_amount_cents": sums.prepaid_credit_amount_cents,
        "total_amount_cents": sums.total_amount_cents,
        "applied_taxes": tuple(
            AppliedTaxPart.of(each, derived_id(invoice_id, "tax", each.tax.id or each.tax.code))
            for each in sums.taxes.applied
        ),
    }
