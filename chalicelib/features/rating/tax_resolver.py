"""The taxes of a fee: the first level that has any wins. Source: rules/invoices 4.1."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from chalicelib.domain.invoicing.taxes import TaxRate
from chalicelib.features.plans.records import Plan
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.taxes import service as taxes
from chalicelib.features.taxes.records import Tax
from chalicelib.platform.ids import TaxId


@dataclass(frozen=True, slots=True)
class TaxResolver:
    """All taxes that may count for a customer, by level."""

    known: dict[TaxId, TaxRate]
    customer: tuple[TaxRate, ...]
    organization: tuple[TaxRate, ...]

    def of(self, *levels: Iterable[TaxId]) -> tuple[TaxRate, ...]:
        """The taxes of the first of these levels (tax ids) that has any, else the customer's, else the organization's."""
        for level in levels:
            found = tuple(self.known[tax_id] for tax_id in level if tax_id in self.known)
            if found:
                return found
        return self.customer or self.organization


def read(context: BillingContext, plans: Sequence[Plan], ids: Iterable[TaxId] = ()) -> TaxResolver:
    """The taxes that may count for the customer of these plans, and those under `ids`, read in one request beside the
    organization's list."""
    defaults = taxes.of_organization(context.organization.id)
    wanted = {*context.customer.tax_ids, *ids}
    for plan in plans:
        wanted |= {*plan.tax_ids, *(i for charge in plan.charges for i in charge.tax_ids)}
        wanted |= {i for fixed in plan.fixed_charges for i in fixed.tax_ids}
        wanted |= set(plan.minimum_commitment.tax_ids if plan.minimum_commitment else ())
    known = {tax.id: _rate_of(tax) for tax in taxes.live(context.organization.id, wanted)}
    vat = Decimal(context.organization.billing_configuration.vat_rate)
    organization = tuple(_rate_of(tax) for tax in defaults) or _anonymous(vat)
    own_vat = context.customer.billing_configuration.vat_rate
    customer = tuple(known[i] for i in context.customer.tax_ids if i in known)
    return TaxResolver(known, customer or _anonymous(Decimal(own_vat or 0)), organization)


def _rate_of(tax: Tax) -> TaxRate:
    return TaxRate(tax.id, tax.code, tax.name, tax.rate, tax.description)


def _anonymous(rate: Decimal) -> tuple[TaxRate, ...]:
    """The legacy API's `vat_rate`: a tax without an object. Source: rules/invoices 4.1."""
    return (TaxRate(None, "vat", "VAT", rate),) if rate else ()
