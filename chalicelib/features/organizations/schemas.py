"""What requests about organizations hold, and how an organization is shown."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib.features.organizations.records import Organization
from chalicelib.platform import schema
from chalicelib.platform.timestamps import iso

EMAIL_SETTINGS = frozenset({"invoice.finalized", "credit_note.created", "payment_receipt.created"})

_PREFIX_LENGTH_MAX = 10


def _prefix(value: Any) -> str:
    prefix = value.strip().upper() if isinstance(value, str) else ""
    if not prefix.isprintable() or not prefix:
        raise schema.refuse("value_is_invalid")
    if len(prefix) > _PREFIX_LENGTH_MAX:
        raise schema.refuse("value_is_too_long")
    return prefix


def _footer(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise schema.refuse("value_is_invalid")
    if value is not None and len(value) > 600:
        raise schema.refuse("value_is_too_long")
    return value


def _vat_rate(value: Any) -> str:
    rate = schema.exact(value)
    if rate is None:
        raise schema.refuse("value_is_invalid")
    if not Decimal(0) <= rate <= Decimal(100):
        raise schema.refuse("value_is_out_of_range")
    return format(rate, "f")


class BillingConfigurationInput(schema.Request):
    """The nested object changes key by key."""

    invoice_footer: Annotated[str | None, BeforeValidator(_footer)] = None
    invoice_grace_period: schema.OptionalDays = None
    document_locale: schema.OptionalLocale = None
    coupon_application: schema.optional_one_of("after_tax", "before_tax") = None  # type: ignore[valid-type]
    vat_rate: Annotated[str, BeforeValidator(_vat_rate)] = "0"


class OrganizationUpdate(schema.Request):
    """`PUT /organizations`: what is absent stays."""

    name: schema.Name = ""
    email: schema.OptionalEmail = None
    webhook_url: schema.OptionalUrl = None
    country: schema.OptionalCountry = None
    default_currency: schema.Currency = "USD"
    address_line1: schema.OptionalName = None
    address_line2: schema.OptionalName = None
    state: schema.OptionalName = None
    zipcode: schema.OptionalName = None
    city: schema.OptionalName = None
    legal_name: schema.OptionalName = None
    legal_number: schema.OptionalName = None
    tax_identification_number: schema.OptionalName = None
    timezone: schema.Timezone = "UTC"
    net_payment_term: schema.OptionalDays = None
    document_numbering: schema.one_of("per_customer", "per_organization") = "per_customer"  # type: ignore[valid-type]
    document_number_prefix: Annotated[str, BeforeValidator(_prefix)] = ""
    email_settings: Annotated[
        tuple[str, ...], BeforeValidator(schema.words_of(EMAIL_SETTINGS, "unsupported_value"))
    ] = ()
    finalize_zero_amount_invoice: schema.Boolean = True
    billing_configuration: BillingConfigurationInput = Field(default_factory=BillingConfigurationInput)


class OrganizationCreate(schema.Request):
    """`POST /admin/organizations`. `api_key` only counts on a local stack."""

    name: schema.Name
    email: schema.OptionalEmail = None
    sandbox: schema.Boolean = False
    api_key: schema.OptionalName = None


def show(organization: Organization, *, urls: Sequence[str], taxes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The organization as the API shows it."""
    configuration = organization.billing_configuration
    fields = organization.model_dump(
        mode="json", include=set(OrganizationUpdate.model_fields) - {"webhook_url", "billing_configuration"}
    )
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
