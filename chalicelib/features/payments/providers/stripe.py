"""Stripe: customers, Checkout pages, payment intents, refunds. Source: rules/catalog 10.2.

The calls stand here, what is sent and what comes back in `stripe_forms.py`, the library in `stripe_client.py`.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.features.payments.providers import signed, stripe_client, stripe_forms
from chalicelib.features.payments.providers.base import Provider
from chalicelib.features.payments.providers.errors import NotVerified, Refused
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
    ProviderError,
    RefundOutcome,
    RefundRequest,
    SetupRequest,
)

_TOLERANCE_SECONDS = 300
_PAGE = 100


class Stripe(Provider):
    """Stripe."""

    name = "stripe"
    title = "Stripe"
    secret_fields = (stripe_client.SECRET,)
    signature_header = "Stripe-Signature"
    pays_by_link = True
    home = "https://stripe.com"
    not_left = frozenset(["crypto", "customer_balance"])
    confirmed_in = frozenset(["IN"])

    def connect(self, connection: Connection, key: str) -> Connected:
        """Register an endpoint. Its secret is told now and never again; without a version, events come in the account's old
        shape."""
        with stripe_client.calls(connection) as api:
            body = {
                "url": connection.webhook_url,
                "enabled_events": list(stripe_forms.EVENTS),
                "api_version": stripe_client.library().api_version,
                "description": f"Tollgate: {connection.code}"[:100],
            }
            made = api.webhook_endpoints.create(body, {"idempotency_key": key})
            return Connected(webhook_secret=made.secret, webhook_id=made.id)

    def disconnect(self, connection: Connection) -> None:
        """Delete the endpoint."""
        if connection.webhook_id is not None:
            with stripe_client.missing_is_fine(), stripe_client.calls(connection) as api:
                api.webhook_endpoints.delete(connection.webhook_id)

    def ensure_customer(
        self, connection: Connection, customer: CustomerDetails, key: str, since: datetime | None
    ) -> str:
        """Looked for by e-mail, as another connection with the same account may have made it; in doubt among all that were made
        since, as the e-mail may have changed."""
        with stripe_client.calls(connection) as api:
            found = _customer_of(api, customer, {"email": customer.email}) if customer.email else None
            if found is None and since is not None:
                found = _customer_of(api, customer, {"created": stripe_client.since(since)})
            if found is None:
                body = {name: value for name, value in stripe_forms.customer_body(customer).items() if value}
                found = str(api.customers.create(body, {"idempotency_key": key}).id)
            return found

    def update_customer(self, connection: Connection, provider_customer_id: str, customer: CustomerDetails) -> None:
        """All details; what is empty by now is emptied there."""
        with stripe_client.calls(connection, about="customer") as api:
            api.customers.update(provider_customer_id, stripe_forms.customer_body(customer))

    def setup_link(self, connection: Connection, request: SetupRequest) -> Link:
        """A Checkout page that charges nothing."""
        with stripe_client.calls(connection) as api:
            return stripe_forms.link(api.checkout.sessions.create(stripe_forms.setup_body(request)).to_dict())

    def pay_link(self, connection: Connection, request: PayRequest, key: str) -> Link | NotOffered:
        """A Checkout page for one amount."""
        with stripe_client.calls(connection) as api:
            made = api.checkout.sessions.create(stripe_forms.pay_body(request), {"idempotency_key": key})
            return stripe_forms.link(made.to_dict())

    def ask_link(self, connection: Connection, link_id: str) -> Open | Closed | Paid:
        """A page that Stripe does not know is closed."""
        with stripe_client.missing_is_fine(), stripe_client.calls(connection) as api:
            session = api.checkout.sessions.retrieve(link_id).to_dict()
            if session["status"] == "open":
                return Open()
            if session["status"] == "complete":
                intent = session.get("payment_intent")
                return Paid(_outcome(api.payment_intents.retrieve(intent)) if intent else None)
        return Closed()

    def close_link(self, connection: Connection, link_id: str) -> Closed | Paid:
        """Only an open page can be expired: whatever else it is, it stays."""
        try:
            with stripe_client.calls(connection) as api:
                if api.checkout.sessions.expire(link_id).to_dict()["status"] != "expired":
                    raise ValueError("the page is still there")
        except Refused:
            state = self.ask_link(connection, link_id)
            if isinstance(state, Open):
                raise
            return state
        return Closed()

    def methods(self, connection: Connection, provider_customer_id: str) -> list[Method]:
        """The default is that of the customer's invoices, else its default source, else the newest."""
        with stripe_client.calls(connection, about="customer") as api:
            customer = api.customers.retrieve(provider_customer_id).to_dict()
            if customer.get("deleted"):
                raise Refused(ProviderError("The customer was deleted.", stripe_client.MISSING), lost="customer")
            found = stripe_client.listed(api.payment_methods.list({"customer": provider_customer_id, "limit": _PAGE}))
        settled = signed.part(customer, "invoice_settings", "default_payment_method") or customer.get("default_source")
        ids = [each["id"] for each in found]
        default = settled if settled in ids else next(iter(ids), None)
        return [stripe_forms.method(each, is_default=each["id"] == default) for each in found]

    def ask_method(self, connection: Connection, method_id: str) -> Method:
        """A payment method as it is."""
        with stripe_client.missing_is_fine(), stripe_client.calls(connection) as api:
            return stripe_forms.method(api.payment_methods.retrieve(method_id).to_dict(), is_default=False)
        return Method(method_id, "", "forgotten")

    def forget(self, connection: Connection, method_id: str) -> None:
        """Detach; refused for one that is detached already."""
        try:
            with stripe_client.calls(connection) as api:
                api.payment_methods.detach(method_id)
        except Refused:
            if self.ask_method(connection, method_id).state != "forgotten":
                raise

    def charge(self, connection: Connection, request: ChargeRequest, key: str) -> Outcome:
        """A payment intent, confirmed at once."""
        try:
            with stripe_client.calls(connection) as api:
                return _outcome(api.payment_intents.create(stripe_forms.charge_body(request), {"idempotency_key": key}))
        except Refused as refusal:
            return refusal.outcome()

    def find(self, connection: Connection, request: ChargeRequest, since: datetime) -> Outcome | None:
        """By listing: Stripe's search lags by up to a minute. If the customer is gone by now, among all that were made."""
        lately = {"created": stripe_client.since(since), "limit": _PAGE}
        with stripe_client.calls(connection) as api:
            try:
                listed = stripe_client.listed(
                    api.payment_intents.list({"customer": request.provider_customer_id, **lately})
                )
            except stripe_client.library().InvalidRequestError:
                listed = stripe_client.listed(api.payment_intents.list(lately))
            found = [stripe_forms.outcome(each) for each in listed]
        ours = [each for each in found if each.payment_id == request.payment_id]
        return min(ours, key=lambda each: ("succeeded", "processing", "failed").index(each.status), default=None)

    def ask(self, connection: Connection, provider_id: str, hint: Hint | None = None) -> Outcome:
        """The intent says all."""
        with stripe_client.calls(connection) as api:
            return _outcome(api.payment_intents.retrieve(provider_id))

    def cancel(self, connection: Connection, provider_id: str) -> Outcome:
        """Refused for what is paid, processing or cancelled."""
        try:
            with stripe_client.calls(connection) as api:
                return _outcome(api.payment_intents.cancel(provider_id))
        except Refused:
            return self.ask(connection, provider_id)

    def refund(self, connection: Connection, request: RefundRequest, key: str) -> RefundOutcome:
        """A refund of an intent."""
        try:
            with stripe_client.calls(connection) as api:
                made = api.refunds.create(stripe_forms.refund_body(request), {"idempotency_key": key})
                return stripe_forms.refund_outcome(made.to_dict())
        except Refused as refusal:
            return refusal.refund_outcome()

    def find_refund(self, connection: Connection, request: RefundRequest) -> RefundOutcome | None:
        """Among the refunds of the intent."""
        with stripe_client.calls(connection) as api:
            query = {"payment_intent": request.provider_payment_id, "limit": _PAGE}
            found = [stripe_forms.refund_outcome(each) for each in stripe_client.listed(api.refunds.list(query))]
        ours = [each for each in found if each.metadata.get("lago_credit_note_id") == request.refund_id]
        return min(ours, key=lambda each: ("succeeded", "pending", "failed").index(each.status), default=None)

    def ask_refund(self, connection: Connection, refund_id: str) -> RefundOutcome:
        """The refund says all."""
        with stripe_client.calls(connection) as api:
            return stripe_forms.refund_outcome(api.refunds.retrieve(refund_id).to_dict())

    def refundable(self, connection: Connection, provider_id: str) -> int:
        """What was paid, less what refunds took or are about to take."""
        with stripe_client.calls(connection) as api:
            payment = _outcome(api.payment_intents.retrieve(provider_id))
            refunds = stripe_client.listed(api.refunds.list({"payment_intent": provider_id, "limit": _PAGE}))
        given = [each for each in map(stripe_forms.refund_outcome, refunds) if each.status != "failed"]
        paid = payment.amount_cents if payment.status == "succeeded" else 0
        return max(paid - sum(each.amount_cents for each in given), 0)

    def ask_dispute(self, connection: Connection, dispute_id: str) -> Dispute | None:
        """One that is lost stays so; one that is won or withdrawn leaves the payment as it was."""
        with stripe_client.calls(connection) as api:
            found = api.disputes.retrieve(dispute_id).to_dict()
            return Dispute(found["id"], found.get("payment_intent") or "", found["status"], found["status"] == "lost")

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime) -> list[Event]:
        """One event. Any of the signatures may match: there are two while Stripe rotates a secret."""
        pairs = [pair.partition(b"=") for pair in signed.header(headers, self.signature_header).split(b",")]
        at = next((value for name, _, value in pairs if name.strip() == b"t"), b"")
        given = [value.strip() for name, _, value in pairs if name.strip() == b"v1"]
        if not re.fullmatch(rb"\d{1,12}", at) or not given:
            raise NotVerified("the signature has no time or no v1")
        digests = [signed.digest(secret, at + b"." + body) for secret in secrets if secret]
        if not any(signed.same(digest, one) for digest in digests for one in given):
            raise NotVerified("the signature is of another secret or body")
        # Stripe's library takes any time in the future.
        if abs(now.timestamp() - int(at)) > _TOLERANCE_SECONDS:
            raise NotVerified("the signature is of another time")
        return [stripe_forms.event(signed.read(body))]


PROVIDER = Stripe()


def _outcome(intent: Any) -> Outcome:
    return stripe_forms.outcome(intent.to_dict())


def _customer_of(api: Any, customer: CustomerDetails, query: Mapping[str, Any]) -> str | None:
    """The id of the customer of a list that is ours."""
    for each in stripe_client.listed(api.customers.list({**query, "limit": _PAGE})):
        if signed.part(each, "metadata", "lago_customer_id") == customer.id:
            return str(each["id"])
    return None
