"""Wallets and their transactions as they are kept. Amounts are whole cents of the wallet's currency; credits are exact."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.intervals import Interval
from chalicelib.domain.wallets.credits import Balance, CreditPrice
from chalicelib.platform.collection import Record
from chalicelib.platform.ids import CustomerId, InvoiceId, WalletId, WalletRuleId, WalletTransactionId

FeeTypeLimit = Literal["charge", "subscription", "commitment", "fixed_charge"]
WalletStatus = Literal["active", "terminated"]
Trigger = Literal["interval", "threshold"]
Method = Literal["fixed", "target"]
TransactionType = Literal["inbound", "outbound"]
SettlementStatus = Literal["pending", "settled", "failed"]
TransactionStatus = Literal["purchased", "granted", "voided", "invoiced"]
Source = Literal["manual", "interval", "threshold"]


class Part(BaseModel):
    """Base of what is nested in a wallet or a transaction."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")


class Pair(Part):
    """One pair of a transaction's metadata."""

    key: str
    value: str


class Rule(Part):
    """A recurring top-up. `due_at`: the next instant of an interval rule, None when there is none."""

    id: WalletRuleId
    created_at: datetime
    trigger: Trigger
    method: Method
    interval: Interval | None = None
    threshold_credits: Decimal = Decimal(0)
    paid_credits: Decimal = Decimal(0)
    granted_credits: Decimal = Decimal(0)
    target_ongoing_balance: Decimal | None = None
    grants_target_top_up: bool = False
    started_at: datetime | None = None
    expiration_at: datetime | None = None
    invoice_requires_successful_payment: bool = False
    ignore_paid_top_up_limits: bool = False
    transaction_metadata: tuple[Pair, ...] = ()
    transaction_name: str | None = None
    due_at: datetime | None = None

    def active(self, now: datetime) -> bool:
        """Whether it still tops up at an instant."""
        return self.expiration_at is None or now < self.expiration_at


class Lot(Part):
    """The part of an inbound transaction that is not spent yet."""

    transaction_id: WalletTransactionId
    granted: bool
    priority: int
    cents: int
    credits: Decimal


class Funding(Part):
    """The part of an outbound transaction that an inbound one pays for."""

    transaction_id: WalletTransactionId
    granted: bool
    cents: int
    credits: Decimal


class Wallet(Record):
    """One wallet. `rate`: the value of a credit in currency units. `lots`: what is left of its inbound transactions, the
    oldest first; they sum up to the balance. `pending_credits`: purchases on their way. `depleted`: the ongoing balance was
    not positive when it was last looked at. `rests_until`: no automatic purchase before, as one has failed."""

    id: WalletId
    customer_id: CustomerId
    external_customer_id: str
    name: str | None = None
    code: str
    priority: int = 50
    currency: str
    rate: Decimal
    status: WalletStatus = "active"
    balance_cents: int = 0
    balance_credits: Decimal = Decimal(0)
    consumed_cents: int = 0
    consumed_credits: Decimal = Decimal(0)
    pending_credits: Decimal = Decimal(0)
    expiration_at: datetime | None = None
    terminated_at: datetime | None = None
    last_consumed_at: datetime | None = None
    last_balance_at: datetime | None = None
    fee_types: tuple[FeeTypeLimit, ...] = ()
    metric_codes: tuple[str, ...] = ()
    invoice_requires_successful_payment: bool = False
    paid_top_up_min_amount_cents: int | None = None
    paid_top_up_max_amount_cents: int | None = None
    rules: tuple[Rule, ...] = ()
    lots: tuple[Lot, ...] = ()
    metadata: dict[str, str | None] = {}
    depleted: bool = True
    rests_until: datetime | None = None

    @property
    def price(self) -> CreditPrice:
        """The value of a credit."""
        return CreditPrice(self.rate, self.currency)

    @property
    def balance(self) -> Balance:
        """The cents and credits that it has."""
        return Balance(self.balance_cents, self.balance_credits)

    @property
    def restricted(self) -> bool:
        """Whether it pays for some fees only."""
        return bool(self.fee_types or self.metric_codes)

    def usable(self, now: datetime) -> bool:
        """Whether it may pay or be topped up at an instant: its end holds by itself. Source: rules/money 2, row 16."""
        return self.status == "active" and (self.expiration_at is None or now < self.expiration_at)

    def pays_for(self, fee_type: str, metric_code: str | None) -> bool:
        """Whether it pays for a kind of fee."""
        return not self.restricted or fee_type in self.fee_types or metric_code in self.metric_codes

    def rule(self, trigger: Trigger, now: datetime) -> Rule | None:
        """Its active rule of a trigger."""
        return next((rule for rule in self.rules if rule.trigger == trigger and rule.active(now)), None)


class WalletTransaction(Record):
    """One entry of a wallet's ledger, which counts once it is settled. `place`: its order among those of one change.
    `fundings`: of an outbound one. `invoice_id`: of a
    purchase, or of the invoice that used credits; `voided_invoice_id`: the one whose void gave them back."""

    id: WalletTransactionId
    wallet_id: WalletId
    customer_id: CustomerId
    external_customer_id: str
    currency: str
    transaction_type: TransactionType
    status: SettlementStatus
    transaction_status: TransactionStatus
    source: Source = "manual"
    cents: int
    credits: Decimal
    priority: int = 50
    name: str | None = None
    metadata: tuple[Pair, ...] = ()
    invoice_requires_successful_payment: bool = False
    invoice_id: InvoiceId | None = None
    voided_invoice_id: InvoiceId | None = None
    fundings: tuple[Funding, ...] = ()
    settled_at: datetime | None = None
    failed_at: datetime | None = None
    place: int = 0
