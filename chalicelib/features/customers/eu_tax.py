"""The tax of European VAT among a customer's taxes. Source: rules/invoices 4.3."""

from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations.records import Organization
from chalicelib.features.taxes import eu_vat
from chalicelib.platform.ids import TaxId


def of_changed(organization: Organization, old: Customer, new: Customer, given: tuple[TaxId, ...] | None) -> Customer:
    """The changed customer with its tax of European VAT, where a field changed that decides it, or where it had none.

    The tax is added to those that the request gives; else it is alone. Source: rules/invoices 4.3.
    """
    if not organization.eu_tax_management:
        return new
    if _vat_facts(old) == _vat_facts(new) and eu_vat.has_one(organization.id, old.tax_ids):
        return new
    return new.model_copy(update={"tax_ids": added(organization, new, given or ())})


def added(organization: Organization, customer: Customer, given: tuple[TaxId, ...]) -> tuple[TaxId, ...]:
    """The given taxes with the customer's own one of European VAT, where it owes one."""
    own = eu_vat.id_of(organization.id, *_vat_facts(customer), ours=organization.country or "")
    return given if own is None else tuple(dict.fromkeys((*given, own)))


def _vat_facts(customer: Customer) -> tuple[str | None, str | None, str | None]:
    return customer.country, customer.zipcode, customer.tax_identification_number
