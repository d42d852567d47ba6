"""Dates on which an invoice is issued, final and due. All are the customer's local dates.

Source: rules/invoices 2, 10.
"""

from dataclasses import dataclass
from datetime import date, timedelta

NEXT_PERIOD_START, CURRENT_PERIOD_END = "next_period_start", "current_period_end"
ALIGN, KEEP = "align_with_finalization_date", "keep_anchor"


@dataclass(frozen=True, slots=True)
class DocumentDates:
    """`finalized_on`: the day on which a draft becomes final (the billing day itself without a grace period)."""

    issuing_date: date
    payment_due_date: date
    finalized_on: date


def document_dates(
    billed_on: date,
    *,
    grace_days: int,
    net_payment_term_days: int,
    anchor: str = NEXT_PERIOD_START,
    adjustment: str = ALIGN,
) -> DocumentDates:
    """The dates of an invoice billed on a day."""
    finalized_on = billed_on + timedelta(days=grace_days)
    issuing = billed_on - timedelta(days=1) if anchor == CURRENT_PERIOD_END else billed_on
    if adjustment == ALIGN and grace_days:
        issuing = finalized_on
    return DocumentDates(issuing, issuing + timedelta(days=net_payment_term_days), finalized_on)
