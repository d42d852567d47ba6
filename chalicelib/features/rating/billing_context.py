"""The billing context of one customer: everything that decides its documents."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from chalicelib.features.credits import service as credits
from chalicelib.features.credits.credit import Credit
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.organizations.records import Organization


@dataclass(frozen=True, slots=True)
class BillingContext:
    """A customer as one consistent read found it. `credits`: balances that may lower its invoices, in the order of
    use."""

    organization: Organization
    customer: Customer
    state: BillingState
    credits: tuple[Credit, ...] = ()

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


def read(organization: Organization, items: CustomerItems) -> BillingContext:
    """The billing context of a customer's items, with the credits that have something left."""
    assert items.customer is not None, "only a customer is billed, deleted or not"
    return BillingContext(organization, items.customer, items.state, credits.open_of(organization.ref, items))
