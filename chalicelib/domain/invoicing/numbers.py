"""Numbers of documents. Source: rules/invoices 9."""

from datetime import date


def customer_slug(prefix: str, customer_sequence: int) -> str:
    """`LAG-1A2B-005`."""
    return f"{prefix}-{customer_sequence:03d}"


def per_customer(prefix: str, customer_sequence: int, invoice_sequence: int) -> str:
    """`LAG-1A2B-005-012`: the customer's own sequence."""
    return f"{customer_slug(prefix, customer_sequence)}-{invoice_sequence:03d}"


def per_organization(prefix: str, finalized_on: date, sequence: int) -> str:
    """`LAG-1A2B-202303-007`: one running sequence that does not restart. `finalized_on` in the organization's zone."""
    return f"{prefix}-{finalized_on:%Y%m}-{sequence:03d}"


def receipt(invoice_number: str, sequence: int) -> str:
    """`LAG-1A2B-005-012-PR001`: the invoice's own sequence of payment receipts."""
    return f"{invoice_number}-PR{sequence:03d}"


def draft(prefix: str) -> str:
    """`LAG-1A2B-DRAFT`: no number is drawn before an invoice is final."""
    return f"{prefix}-DRAFT"
