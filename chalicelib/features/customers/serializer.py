"""Customers as the API shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations.records import Organization
from chalicelib.features.taxes import service as taxes
from chalicelib.features.taxes.records import Tax
from chalicelib.platform.ids import TaxId
from chalicelib.platform.timestamps import iso

_SAME = (
    "external_id",
    "sequential_id",
    "name",
    "firstname",
    "lastname",
    "email",
    "phone",
    "url",
    "logo_url",
    "legal_name",
    "legal_number",
    "tax_identification_number",
    "address_line1",
    "address_line2",
    "city",
    "country",
    "state",
    "zipcode",
    "currency",
    "timezone",
    "account_type",
    "customer_type",
    "net_payment_term",
    "finalize_zero_amount_invoice",
    "skip_invoice_custom_sections",
)


def show_all(organization: Organization, customers: Sequence[Customer]) -> list[dict[str, Any]]:
    """Several customers with their taxes, read in one request."""
    known = {tax.id: tax for tax in taxes.live(organization.id, {i for c in customers for i in c.tax_ids})}
    return [show(organization, customer, known) for customer in customers]


def show(organization: Organization, customer: Customer, known: Mapping[TaxId, Tax]) -> dict[str, Any]:
    """One customer."""
    return base(organization, customer) | {
        "taxes": [taxes.show(known[i]) for i in customer.tax_ids if i in known],
        "integration_customers": [],
        "applicable_invoice_custom_sections": [],
        "error_details": [],
    }


def base(organization: Organization, customer: Customer) -> dict[str, Any]:
    """The customer as other objects embed it."""
    configuration = customer.billing_configuration.model_dump(mode="json", exclude={"vat_rate"})
    return {
        "lago_id": customer.id,
        **{name: getattr(customer, name) for name in _SAME},
        "slug": slug(organization, customer),
        "billing_entity_code": "default",
        "applicable_timezone": customer.timezone or organization.timezone,
        "created_at": iso(customer.created_at),
        "updated_at": iso(customer.updated_at),
        "billing_configuration": configuration,
        "shipping_address": customer.shipping_address.model_dump(),
        "metadata": [
            {
                "lago_id": pair.id,
                "key": pair.key,
                "value": pair.value,
                "display_in_invoice": pair.display_in_invoice,
                "created_at": iso(pair.created_at),
            }
            for pair in customer.metadata
        ],
    }


def slug(organization: Organization, customer: Customer) -> str:
    """Prefix and the customer's number, at least three digits. Source: rules/invoices 9."""
    return f"{organization.document_number_prefix}-{customer.sequential_id:03d}"
