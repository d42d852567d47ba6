"""What each payment provider offers. Source: rules/catalog 10.

A call raises `Refused` when the provider says no for good, `Unknown` when nobody knows what it did, `Misconfigured` when the
connection's secret is not good (any more). `charge` and `refund` never raise `Refused`: a refusal is their outcome. No call is
repeated in here: whoever keeps the state repeats it, by its rules and under the same key.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from chalicelib.features.payments.providers.values import (
    ChargeRequest,
    Closed,
    Connected,
    Connection,
    CustomerDetails,
    Dispute,
    Event,
    Hint,
    Link,
    Method,
    NotOffered,
    Open,
    Outcome,
    Paid,
    PayRequest,
    RefundOutcome,
    RefundRequest,
    SetupRequest,
)

# A provider's clock may be behind ours: what it made lately is asked for from so much earlier.
CLOCKS_DIFFER = timedelta(minutes=10)


class Provider(ABC):
    """One payment provider. `secret_fields`: the names of a connection's secrets, as the API takes them, that for calls first;
    `signature_header`: where its events carry their signature; `pays_by_link`: whether it has pages for paying one amount;
    `home`: where a page leads when the connection names no other place; `not_left`: the kinds of method that nobody leaves for
    later; `confirmed_in`: the countries whose banks have each payment confirmed by the customer; `code_field`: the name under
    which the API takes a one-time code instead of the secrets, None where the provider gives none."""

    name: ClassVar[str]
    title: ClassVar[str]
    secret_fields: ClassVar[tuple[str, ...]]
    signature_header: ClassVar[str]
    pays_by_link: ClassVar[bool]
    home: ClassVar[str]
    not_left: ClassVar[frozenset[str]] = frozenset()
    confirmed_in: ClassVar[frozenset[str]] = frozenset()
    code_field: ClassVar[str | None] = None

    def exchanged(self, code: str, redirect_uri: str, *, sandbox: bool) -> dict[str, str]:
        """The secrets that a one-time code is exchanged for, which the owner got on the provider's page for `redirect_uri`."""
        raise NotImplementedError(f"{self.name} gives no codes")

    @abstractmethod
    def connect(self, connection: Connection, key: str) -> Connected:
        """Try the secret, and have events sent to the connection's webhook URL. A new key gives a new signing secret."""

    @abstractmethod
    def disconnect(self, connection: Connection) -> None:
        """Have no more events sent; idempotent."""

    @abstractmethod
    def ensure_customer(
        self, connection: Connection, customer: CustomerDetails, key: str, since: datetime | None
    ) -> str:
        """The provider's id of a customer, who is created there unless that was done before. `since`: the real time of the
        first try; None at the first."""

    @abstractmethod
    def update_customer(self, connection: Connection, provider_customer_id: str, customer: CustomerDetails) -> None:
        """Tell what a customer is called now. Raises `Refused` with `lost` for one that was deleted there."""

    @abstractmethod
    def setup_link(self, connection: Connection, request: SetupRequest) -> Link:
        """A page for leaving a way to pay; each call makes a new one."""

    @abstractmethod
    def pay_link(self, connection: Connection, request: PayRequest, key: str) -> Link | NotOffered:
        """A page for paying an amount once."""

    @abstractmethod
    def ask_link(self, connection: Connection, link_id: str) -> Open | Closed | Paid:
        """What became of a page."""

    @abstractmethod
    def close_link(self, connection: Connection, link_id: str) -> Closed | Paid:
        """Close a page, unless it was completed before; idempotent."""

    @abstractmethod
    def methods(self, connection: Connection, provider_customer_id: str) -> list[Method]:
        """The ways to pay that a customer has, the newest first, one of the usable ones being the default."""

    @abstractmethod
    def ask_method(self, connection: Connection, method_id: str) -> Method:
        """Where a way to pay stands; one that the provider does not know is forgotten."""

    @abstractmethod
    def forget(self, connection: Connection, method_id: str) -> None:
        """Take a way to pay from its customer; idempotent."""

    @abstractmethod
    def charge(self, connection: Connection, request: ChargeRequest, key: str) -> Outcome:
        """Charge a customer's way to pay, once per key."""

    @abstractmethod
    def find(self, connection: Connection, request: ChargeRequest, since: datetime) -> Outcome | None:
        """What came of a charge that was sent, and whose answer nobody has; None where the provider made no payment. `since`:
        the real time at which it was first sent."""

    @abstractmethod
    def ask(self, connection: Connection, provider_id: str, hint: Hint | None = None) -> Outcome:
        """Where a payment stands now. `hint`: of the event that made us ask, for what the provider tells nowhere else."""

    @abstractmethod
    def cancel(self, connection: Connection, provider_id: str) -> Outcome:
        """Cancel a payment if that is still possible; where it stands afterwards. Idempotent."""

    @abstractmethod
    def refund(self, connection: Connection, request: RefundRequest, key: str) -> RefundOutcome:
        """Give back a part of a payment, once per key."""

    @abstractmethod
    def find_refund(self, connection: Connection, request: RefundRequest) -> RefundOutcome | None:
        """What came of a refund that was sent, and whose answer nobody has; None where the provider made none."""

    @abstractmethod
    def ask_refund(self, connection: Connection, refund_id: str) -> RefundOutcome:
        """Where a refund stands now."""

    @abstractmethod
    def refundable(self, connection: Connection, provider_id: str) -> int:
        """What is left of a payment to be given back, after all refunds of whoever made them, in our minor units."""

    def ask_dispute(self, connection: Connection, dispute_id: str) -> Dispute | None:
        """Where a dispute stands now; None with providers that have none."""
        return None

    @abstractmethod
    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime) -> list[Event]:
        """The events of a request that the provider sent, by the raw bytes. `secrets`: all that are good at the moment.

        Raises: NotVerified.
        """
