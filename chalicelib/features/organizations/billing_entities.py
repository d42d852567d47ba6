"""The billing entity of an organization: its one legal entity, `default`, whose settings are the organization's.

Source: rules/invoices 4.3.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.domain.invoicing import eu_vat
from chalicelib.features.organizations.records import DocumentNumbering, Organization
from chalicelib.features.organizations.schemas import OrganizationUpdate
from chalicelib.platform import schema
from chalicelib.platform.ids import derived_id
from chalicelib.platform.timestamps import iso

CODE = "default"
_NUMBERINGS = {"per_billing_entity": "per_organization"}


def _numbering(value: Any) -> Any:
    return _NUMBERINGS.get(value, value) if isinstance(value, str) else value


class BillingEntityUpdate(OrganizationUpdate):
    """`PUT /billing_entities/:code`: what is absent stays."""

    document_numbering: Annotated[DocumentNumbering, BeforeValidator(_numbering)] = "per_customer"
    eu_tax_management: schema.Boolean = False
    tax_codes: schema.ListOf[schema.Text] = []


def check_code(code: str) -> None:
    """There is one entity.

    Raises: NotFound.
    """
    if code != CODE:
        raise NotFound(Resource.BILLING_ENTITY)


def check(old: Organization, request: BillingEntityUpdate) -> None:
    """European VAT is managed from a member state only.

    Raises: Invalid.
    """
    country = request.country if "country" in request.model_fields_set else old.country
    managed = request.eu_tax_management if "eu_tax_management" in request.model_fields_set else old.eu_tax_management
    if managed and country not in eu_vat.STANDARD_RATES:
        raise Invalid.field("eu_tax_management", ErrorCode.BILLING_ENTITY_MUST_BE_IN_EU)


def show(organization: Organization, *, taxes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The entity as the API shows it."""
    configuration = organization.billing_configuration
    same = {"name", "default_currency", "document_number_prefix", "finalize_zero_amount_invoice", "net_payment_term"}
    same |= {"address_line1", "address_line2", "city", "state", "country", "zipcode", "email", "legal_name"}
    same |= {"legal_number", "tax_identification_number", "timezone", "eu_tax_management"}
    per_customer = organization.document_numbering == "per_customer"
    return {
        "lago_id": derived_id(organization.id, "billing_entity", CODE),
        "code": CODE,
        **organization.model_dump(mode="json", include=same),
        "phone": None,
        "logo_url": None,
        "email_settings": list(organization.email_settings),
        "document_numbering": "per_customer" if per_customer else "per_billing_entity",
        "document_locale": configuration.document_locale,
        "invoice_footer": configuration.invoice_footer,
        "invoice_grace_period": configuration.invoice_grace_period,
        "subscription_invoice_issuing_date_anchor": "next_period_start",
        "subscription_invoice_issuing_date_adjustment": "align_with_finalization_date",
        "is_default": True,
        "taxes": list(taxes),
        "selected_invoice_custom_sections": [],
        "created_at": iso(organization.created_at),
        "updated_at": iso(organization.updated_at),
    }
