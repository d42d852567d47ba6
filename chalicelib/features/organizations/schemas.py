"""Request schemas of organizations, and their form in the API."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, FailFast, Field

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.organizations.records import CouponApplication, DocumentNumbering, EmailSetting, Organization
from chalicelib.platform import schema
from chalicelib.platform.addresses import AddressInput
from chalicelib.platform.timestamps import iso

# Shown in another way, or not at all.
_NOT_SHOWN_SO = {"webhook_url", "billing_configuration", "logo"}


def _prefix(value: Any) -> str:
    prefix = value.strip().upper() if isinstance(value, str) else ""
    if not prefix.isprintable() or not prefix:
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    return prefix


def _vat_rate(value: Any) -> str:
    rate = schema.exact(value)
    if not Decimal(0) <= rate <= Decimal(100):
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return format(rate, "f")


class BillingConfigurationInput(schema.Request):
    """The nested object changes key by key."""

    invoice_footer: Annotated[schema.Printed, Field(max_length=600)] | None = None
    invoice_grace_period: schema.Count | None = None
    document_locale: schema.Locale | None = None
    coupon_application: CouponApplication | None = None
    vat_rate: Annotated[str, BeforeValidator(_vat_rate), schema.number(minimum=0, maximum=100)] = "0"


class OrganizationUpdate(AddressInput):
    """`PUT /organizations`: absent fields stay."""

    name: schema.Name = ""
    email: schema.NullOr[schema.Email] = None
    webhook_url: schema.NullOr[schema.Url] = None
    default_currency: schema.Currency = "USD"
    legal_name: schema.OptionalName = None
    legal_number: schema.OptionalName = None
    tax_identification_number: schema.OptionalName = None
    timezone: schema.Timezone = "UTC"
    net_payment_term: schema.Count | None = None
    document_numbering: DocumentNumbering = "per_customer"
    document_number_prefix: Annotated[str, Field(min_length=1, max_length=10), BeforeValidator(_prefix)] = ""
    email_settings: Annotated[
        tuple[EmailSetting, ...], FailFast(), schema.NULL_AS_LIST, schema.refused(ErrorCode.UNSUPPORTED_VALUE)
    ] = ()
    finalize_zero_amount_invoice: schema.Boolean = True
    logo: schema.Text | None = None  # Measured where it is read: it has codes of its own.
    billing_configuration: BillingConfigurationInput = Field(default_factory=BillingConfigurationInput)


class OrganizationCreate(schema.Request):
    """`POST /admin/organizations`. `api_key` only counts on a local stack."""

    name: schema.Name
    email: schema.NullOr[schema.Email] = None
    sandbox: schema.Boolean = False
    api_key: schema.OptionalName = None


def show(organization: Organization, *, urls: Sequence[str], taxes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The organization as the API shows it."""
    configuration = organization.billing_configuration
    fields = organization.model_dump(mode="json", include=set(OrganizationUpdate.model_fields) - _NOT_SHOWN_SO)
    return {
        "lago_id": organization.id,
        **fields,
        "email_settings": list(organization.email_settings),
        "sandbox": organization.sandbox,
        "created_at": iso(organization.created_at),
        "webhook_url": urls[0] if urls else None,
        "webhook_urls": list(urls),
        "billing_configuration": configuration.model_dump(mode="json") | {"vat_rate": Decimal(configuration.vat_rate)},
        "taxes": list(taxes),
    }
