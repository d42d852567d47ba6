"""Request schemas of customers. Source: rules/catalog 4; rules/invoices 11."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, FailFast, Field

from chalicelib import limits
from chalicelib.domain import payment_providers
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid, merge
from chalicelib.features.customers.records import (
    AccountType,
    CustomerType,
    IssuingDateAdjustment,
    IssuingDateAnchor,
    Metadata,
    PaymentMethod,
    ZeroAmountInvoices,
)
from chalicelib.platform import metadata, schema
from chalicelib.platform.addresses import AddressInput
from chalicelib.platform.ids import new_id


def _payable(methods: tuple[PaymentMethod, ...]) -> tuple[PaymentMethod, ...]:
    if ("link" in methods and "card" not in methods) or ("customer_balance" in methods and len(methods) > 1):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    return methods


class BillingConfigurationInput(schema.Request):
    """The nested object changes key by key."""

    invoice_grace_period: schema.Count | None = None
    subscription_invoice_issuing_date_anchor: IssuingDateAnchor | None = None
    subscription_invoice_issuing_date_adjustment: IssuingDateAdjustment | None = None
    payment_provider: Annotated[str, schema.one_of(payment_providers.names)] | None = None
    payment_provider_code: schema.OptionalName = None
    provider_customer_id: schema.OptionalName = None
    sync: schema.Boolean | None = None
    sync_with_provider: schema.Boolean | None = None
    document_locale: schema.Locale | None = None
    provider_payment_methods: Annotated[
        tuple[PaymentMethod, ...], FailFast(), AfterValidator(_payable), schema.NULL_AS_LIST
    ] = ()


class CustomerInput(AddressInput):
    """`POST /customers`: creates, or changes the keys present."""

    external_id: schema.Name
    name: schema.OptionalName = None
    firstname: schema.OptionalName = None
    lastname: schema.OptionalName = None
    email: schema.NullOr[schema.Email] = None
    phone: schema.OptionalName = None
    url: schema.OptionalName = None
    logo_url: schema.OptionalText = None
    legal_name: schema.OptionalName = None
    legal_number: schema.OptionalName = None
    tax_identification_number: schema.OptionalName = None
    currency: schema.NullOr[schema.Currency] = None
    timezone: schema.NullOr[schema.Timezone] = None
    account_type: AccountType | None = None
    customer_type: CustomerType | None = None
    net_payment_term: schema.Count | None = None
    finalize_zero_amount_invoice: Annotated[ZeroAmountInvoices, schema.refused(ErrorCode.INVALID_VALUE)] | None = None
    skip_invoice_custom_sections: schema.Boolean | None = None
    tax_codes: schema.ListOf[schema.Text] = []
    billing_configuration: Annotated[BillingConfigurationInput, schema.NULL_AS_OBJECT] = Field(
        default_factory=BillingConfigurationInput
    )
    shipping_address: Annotated[AddressInput, schema.NULL_AS_OBJECT] = Field(default_factory=AddressInput)
    metadata: Annotated[schema.ListOf[dict[str, Any]], schema.refused(ErrorCode.INVALID_TYPE)] = []


def metadata_findings(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Findings of pairs that replace all others, by the number of the pair and its field: `metadata.2.key`."""
    found: dict[str, list[str]] = {}
    for number, entry in enumerate(entries):
        taken = {str(each.get("key")) for each in entries[:number]}
        wrong = metadata.findings(metadata.CustomerPair, entry.get("key"), entry.get("value"), taken)
        found |= {f"metadata.{number}.{name}": codes for name, codes in wrong.items()}
    return found


def merged_metadata(
    before: Sequence[Metadata], entries: Sequence[Mapping[str, Any]], *, now: datetime
) -> tuple[Metadata, ...]:
    """Entries with a known id change, others are added, absent ones go. Source: rules/invoices 11.

    Raises: Invalid.
    """
    if len(entries) > limits.METADATA_PAIRS_MAX:
        raise Invalid.field("metadata", ErrorCode.INVALID_COUNT)
    known = {pair.id: pair for pair in before}
    pairs: list[Metadata] = []
    findings: dict[str, list[str]] = {}
    for entry in entries:
        old = known.get(str(entry.get("id")))
        name = entry.get("key", old.key if old else None)
        value = entry.get("value", old.value if old else None)
        shown = entry.get("display_in_invoice", old.display_in_invoice if old else False)
        wrong = metadata.findings(metadata.CustomerPair, name, value, {pair.key for pair in pairs})
        if shown is not None and not isinstance(shown, bool):
            wrong["display_in_invoice"] = [ErrorCode.VALUE_IS_INVALID]
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
