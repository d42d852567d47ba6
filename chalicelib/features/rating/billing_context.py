"""Whom billing bills: a customer with everything that decides its documents."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from chalicelib.features.credit_notes.records import CreditNote
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.organizations.records import Organization


@dataclass(frozen=True, slots=True)
class BillingContext:
    """Whom an invoice is for, as everything of it was read. `notes`: credit notes with a balance, the oldest first."""

    organization: Organization
    customer: Customer
    state: BillingState
    notes: tuple[CreditNote, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The customer's applicable time zone."""
        return self.customer.zone(self.organization.timezone)

    @property
    def grace_days(self) -> int:
        """The customer's grace period, else the organization's."""
        own = self.customer.billing_configuration.invoice_grace_period
        return self.organization.billing_configuration.invoice_grace_period if own is None else own

    @property
    def net_payment_term(self) -> int:
        """The customer's payment term, else the organization's, in days."""
        own = self.customer.net_payment_term
        return self.organization.net_payment_term if own is None else own

    @property
    def skips_zero_invoices(self) -> bool:
        """Whether invoices of nothing are not issued. Source: rules/invoices 1."""
        own = self.customer.finalize_zero_amount_invoice
        return own == "skip" or (own == "inherit" and not self.organization.finalize_zero_amount_invoice)
