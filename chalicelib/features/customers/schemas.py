"""What requests about customers hold. Source: rules/catalog 4; rules/invoices 11."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib import limits
from chalicelib.domain.errors import Invalid, merge
from chalicelib.features.customers.records import Metadata
from chalicelib.platform import schema
from chalicelib.platform.ids import new_id

PROVIDERS = ("stripe", "gocardless", "adyen", "cashfree", "flutterwave", "moneyhash")
ACCOUNT_TYPES = ("customer", "partner")
CUSTOMER_TYPES = ("company", "individual")
PAYMENT_METHODS = frozenset(
    {"card", "sepa_debit", "us_bank_account", "bacs_debit", "link", "boleto", "crypto", "customer_balance"}
)


def _payment_methods(given: Any) -> tuple[str, ...]:
    value = schema.words_of(PAYMENT_METHODS)(given)
    if ("link" in value and "card" not in value) or ("customer_balance" in value and len(value) > 1):
        raise schema.refuse("value_is_invalid")
    return value


def _mapping(value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise schema.refuse("value_is_invalid")
    return value


def _entries(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise schema.refuse("invalid_type")
    return value


class BillingConfigurationInput(schema.Request):
    """The nested object changes key by key."""

    invoice_grace_period: schema.OptionalDays = None
    subscription_invoice_issuing_date_anchor: schema.optional_one_of("current_period_end", "next_period_start") = None  # type: ignore[valid-type]
    subscription_invoice_issuing_date_adjustment: schema.optional_one_of(  # type: ignore[valid-type]
        "align_with_finalization_date", "keep_anchor"
    ) = None
    payment_provider: schema.optional_one_of(*PROVIDERS) = None  # type: ignore[valid-type]
    payment_provider_code: schema.OptionalName = None
    provider_customer_id: schema.OptionalName = None
    sync: schema.OptionalBoolean = None
    sync_with_provider: schema.OptionalBoolean = None
    document_locale: schema.OptionalLocale = None
    provider_payment_methods: Annotated[tuple[str, ...], BeforeValidator(_payment_methods)] = ()


class AddressInput(schema.Request):
    """The shipping address changes key by key."""

    address_line1: schema.OptionalName = None
    address_line2: schema.OptionalName = None
    city: schema.OptionalName = None
    country: schema.OptionalCountry = None
    state: schema.OptionalName = None
    zipcode: schema.OptionalName = None


class CustomerInput(schema.Request):
    """`POST /customers`: creates, or changes the keys present."""

    external_id: schema.Code
    name: schema.OptionalName = None
    firstname: schema.OptionalName = None
    lastname: schema.OptionalName = None
    email: schema.OptionalEmail = None
    phone: schema.OptionalName = None
    url: schema.OptionalName = None
    logo_url: schema.OptionalText = None
    legal_name: schema.OptionalName = None
    legal_number: schema.OptionalName = None
    tax_identification_number: schema.OptionalName = None
    address_line1: schema.OptionalName = None
    address_line2: schema.OptionalName = None
    city: schema.OptionalName = None
    country: schema.OptionalCountry = None
    state: schema.OptionalName = None
    zipcode: schema.OptionalName = None
    currency: schema.OptionalCurrency = None
    timezone: schema.OptionalTimezone = None
    account_type: schema.optional_one_of(*ACCOUNT_TYPES) = None  # type: ignore[valid-type]
    customer_type: schema.optional_one_of(*CUSTOMER_TYPES) = None  # type: ignore[valid-type]
    net_payment_term: schema.OptionalDays = None
    finalize_zero_amount_invoice: schema.optional_one_of("inherit", "skip", "finalize", code="invalid_value") = None  # type: ignore[valid-type]
    skip_invoice_custom_sections: schema.OptionalBoolean = None
    tax_codes: schema.Codes = []
    billing_configuration: Annotated[BillingConfigurationInput, BeforeValidator(_mapping)] = Field(
        default_factory=BillingConfigurationInput
    )
    shipping_address: Annotated[AddressInput, BeforeValidator(_mapping)] = Field(default_factory=AddressInput)
    metadata: Annotated[list[dict[str, Any]], BeforeValidator(_entries)] = []


def merged_metadata(
    before: Sequence[Metadata], entries: Sequence[Mapping[str, Any]], *, now: datetime
) -> tuple[Metadata, ...]:
    """Entries with a known id change, others are added, absent ones go. Source: rules/invoices 11.

    Raises: Invalid.
    """
    if len(entries) > limits.METADATA_PAIRS_MAX:
        raise Invalid.field("metadata", "invalid_count")
    known = {pair.id: pair for pair in before}
    pairs: list[Metadata] = []
    findings: dict[str, list[str]] = {}
    for entry in entries:
        old = known.get(str(entry.get("id")))
        name = entry.get("key", old.key if old else None)
        value = entry.get("value", old.value if old else None)
        shown = entry.get("display_in_invoice", old.display_in_invoice if old else False)
        wrong = schema.pair_findings(name, value, {pair.key for pair in pairs}, value_max=100)
        if shown is not None and not isinstance(shown, bool):
            wrong["display_in_invoice"] = ["value_is_invalid"]
        if wrong:
            findings = merge(findings, wrong)
            continue
        pairs.append(
            Metadata(
                id=old.id if old else new_id(),
                key=str(name),
                value=str(value),
                display_in_invoice=bool(shown),
                created_at=old.created_at if old else now,
            )
        )
    if findings:
        raise Invalid(findings)
    return tuple(pairs)
