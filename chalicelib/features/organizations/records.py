"""The organization as it is kept."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId

CouponApplication = Literal["after_tax", "before_tax"]
DocumentNumbering = Literal["per_customer", "per_organization"]
EmailSetting = Literal["invoice.finalized", "credit_note.created", "payment_receipt.created"]


class BillingConfiguration(BaseModel):
    """Defaults of billing and documents. `invoice_grace_period` in days; `vat_rate` in percent, as exact text."""

    model_config = ConfigDict(defer_build=True, frozen=True)

    invoice_footer: str | None = None
    invoice_grace_period: int = 0
    document_locale: str = "en"
    coupon_application: CouponApplication = "after_tax"
    vat_rate: str = "0"


class Organization(BaseModel):
    """One organization. `net_payment_term` in days; `customers_seen` numbers its customers, deleted ones included; `logo`: the
    name of its file."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    id: OrganizationId
    name: str
    sandbox: bool
    created_at: datetime
    updated_at: datetime
    hmac_key: str | None = None  # Earlier versions only: `hmac_keys` takes it out.
    email: str | None = None
    country: str | None = None
    default_currency: str = "USD"
    address_line1: str | None = None
    address_line2: str | None = None
    state: str | None = None
    zipcode: str | None = None
    city: str | None = None
    legal_name: str | None = None
    legal_number: str | None = None
    tax_identification_number: str | None = None
    timezone: str = "UTC"
    net_payment_term: int = 0
    document_numbering: DocumentNumbering = "per_customer"
    document_number_prefix: str = ""
    email_settings: tuple[EmailSetting, ...] = ()
    finalize_zero_amount_invoice: bool = True
    eu_tax_management: bool = False
    logo: str | None = None
    billing_configuration: BillingConfiguration = Field(default_factory=BillingConfiguration)
    version: int = 0

    @property
    def ref(self) -> OrganizationRef:
        """The organization as keys and clocks know it."""
        return OrganizationRef(self.id, self.sandbox)
