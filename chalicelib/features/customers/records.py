"""The customer as it is kept."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CustomerId, TaxId

AccountType = Literal["customer", "partner"]
CustomerType = Literal["company", "individual"]
PaymentMethod = Literal[
    "card", "sepa_debit", "us_bank_account", "bacs_debit", "link", "boleto", "crypto", "customer_balance"
]
IssuingDateAnchor = Literal["current_period_end", "next_period_start"]
IssuingDateAdjustment = Literal["align_with_finalization_date", "keep_anchor"]
ZeroAmountInvoices = Literal["inherit", "skip", "finalize"]


class Metadata(BaseModel):
    """One pair of a customer's metadata."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    id: str
    key: str
    value: str
    display_in_invoice: bool
    created_at: datetime


class Address(BaseModel):
    """Shipping address; all parts optional."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    country: str | None = None
    state: str | None = None
    zipcode: str | None = None


class CustomerBillingConfiguration(BaseModel):
    """The customer's own settings; null means the organization's. `invoice_grace_period` in days."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    invoice_grace_period: int | None = None
    subscription_invoice_issuing_date_anchor: IssuingDateAnchor | None = None
    subscription_invoice_issuing_date_adjustment: IssuingDateAdjustment | None = None
    payment_provider: str | None = None
    payment_provider_code: str | None = None
    provider_customer_id: str | None = None
    sync: bool | None = None
    sync_with_provider: bool | None = None
    document_locale: str | None = None
    provider_payment_methods: tuple[PaymentMethod, ...] = ()
    vat_rate: str | None = None


class Customer(Record):
    """One customer. `sequential_id` numbers the organization's customers; `net_payment_term` in days; `counted`: its figures
    were kept from the beginning (`figures.py`)."""

    id: CustomerId
    external_id: str
    sequential_id: int
    name: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    email: str | None = None
    phone: str | None = None
    url: str | None = None
    logo_url: str | None = None
    legal_name: str | None = None
    legal_number: str | None = None
    tax_identification_number: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    city: str | None = None
    country: str | None = None
    state: str | None = None
    zipcode: str | None = None
    currency: str | None = None
    timezone: str | None = None
    account_type: AccountType = "customer"
    customer_type: CustomerType | None = None
    net_payment_term: int | None = None
    finalize_zero_amount_invoice: ZeroAmountInvoices = "inherit"
    skip_invoice_custom_sections: bool = False
    tax_ids: tuple[TaxId, ...] = ()
    billing_configuration: CustomerBillingConfiguration = Field(default_factory=CustomerBillingConfiguration)
    shipping_address: Address = Field(default_factory=Address)
    metadata: tuple[Metadata, ...] = ()
    counted: bool = False

    def zone(self, organization_timezone: str) -> ZoneInfo:
        """The applicable time zone: the customer's, else the organization's."""
        return ZoneInfo(self.timezone or organization_timezone)


class BillingState(BaseModel):
    """Billing state of a customer. `due_at`: due time of its billing task. `invoices`: numbers drawn so far.
    `attached`: something with a currency belongs to the customer, so that the currency is fixed. `wallet_codes`: those of
    its active wallets, which are unique and limited. `made_at_instant`: number of invoices that billing made at `instant`,
    its latest one."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    customer_id: CustomerId
    due_at: datetime | None = None
    invoices: int = 0
    attached: bool = False
    wallet_codes: tuple[str, ...] = ()
    instant: datetime | None = None
    made_at_instant: int = 0
    version: int = 0

    @property
    def watched(self) -> bool:
        """Whether the meter notes the customer's usage (`usage_watch.py`)."""
        return bool(self.wallet_codes)


# The version of a billing state that no item holds yet.
NOT_WRITTEN = -1
