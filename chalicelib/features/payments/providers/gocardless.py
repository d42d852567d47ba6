"""GoCardless: customers, mandates, payments, refunds. Source: rules/catalog 10.3.

The calls stand here, what is sent and what comes back in `gocardless_forms.py`, the library in `gocardless_client.py`.
"""

import secrets as random
import string
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from chalicelib.features.payments.providers import gocardless_client, gocardless_forms, gocardless_oauth, signed
from chalicelib.features.payments.providers.base import Provider
from chalicelib.features.payments.providers.errors import Misconfigured, NotVerified, Refused
from chalicelib.features.payments.providers.values import (
    ChargeRequest,
    Closed,
    Connected,
    Connection,
    CustomerDetails,
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

_WEBHOOK_SECRET_CHARS = 50
_EVENTS_READ = 50


class GoCardless(Provider):
    """GoCardless."""

    name = "gocardless"
    title = "GoCardless"
    secret_fields = (gocardless_client.SECRET,)
    signature_header = "Webhook-Signature"
    pays_by_link = False
    home = "https://gocardless.com"
    code_field = gocardless_oauth.CODE

    def exchanged(self, code: str, redirect_uri: str, *, sandbox: bool) -> dict[str, str]:
        """By OAuth."""
        return {gocardless_client.SECRET: gocardless_oauth.token_of(code, redirect_uri, sandbox=sandbox)}

    def connect(self, connection: Connection, key: str) -> Connected:
        """Read something with the token. The endpoint is entered by hand in GoCardless' dashboard, with this secret."""
        with gocardless_client.calls(connection) as api:
            api.creditors.list({"limit": 1})
        letters = string.ascii_letters + string.digits
        return Connected(webhook_secret="".join(random.choice(letters) for _ in range(_WEBHOOK_SECRET_CHARS)))

    def disconnect(self, connection: Connection) -> None:
        """The endpoint is removed by hand, where it was entered."""

    def ensure_customer(
        self, connection: Connection, customer: CustomerDetails, key: str, since: datetime | None
    ) -> str:
        """In doubt looked for among all that were made since."""
        with gocardless_client.calls(connection) as api:
            if since is not None:
                for each in gocardless_client.listed(api.customers, gocardless_client.since(since)):
                    if signed.part(each, "metadata", "lago_customer_id") == customer.id:
                        return str(each["id"])
            try:
                made = api.customers.create(gocardless_forms.customer_body(customer), gocardless_client.keyed(key))
            except gocardless_client.library().errors.IdempotentCreationConflictError as conflict:
                return str(conflict.conflicting_resource_id)
            return str(made.attributes["id"])

    def update_customer(self, connection: Connection, provider_customer_id: str, customer: CustomerDetails) -> None:
        """All details that there are."""
        with gocardless_client.calls(connection, about="customer") as api:
            api.customers.update(provider_customer_id, gocardless_forms.customer_body(customer))

    def setup_link(self, connection: Connection, request: SetupRequest) -> Link:
        """A page on which the customer signs a mandate in the currency."""
        if request.currency.upper() not in gocardless_forms.CURRENCIES.values():
            raise Refused(gocardless_forms.CURRENCY_NOT_SUPPORTED)
        with gocardless_client.calls(connection, about="customer") as api:
            made = api.billing_requests.create(gocardless_forms.mandate_body(request)).attributes
            back = {"redirect_uri": request.success_url, "exit_uri": request.success_url}
            flow = api.billing_request_flows.create({**back, "links": {"billing_request": made["id"]}}).attributes
            expires_at = flow.get("expires_at")
            return Link(
                flow["id"],
                flow["authorisation_url"],
                None if expires_at is None else datetime.fromisoformat(expires_at),
            )

    def pay_link(self, connection: Connection, request: PayRequest, key: str) -> Link | NotOffered:
        """There are pages for mandates only."""
        return NotOffered()

    def ask_link(self, connection: Connection, link_id: str) -> Open | Closed | Paid:
        """Nobody pays on a page."""
        return Closed()

    def close_link(self, connection: Connection, link_id: str) -> Closed | Paid:
        """Nobody pays on a page."""
        return Closed()

    def methods(self, connection: Connection, provider_customer_id: str) -> list[Method]:
        """The default is the newest that can be charged."""
        with gocardless_client.calls(connection, about="customer") as api:
            listed = gocardless_client.listed(api.mandates, {"customer": provider_customer_id})
            found = [gocardless_forms.method(each) for each in listed]
            default = next((each.id for each in found if each.state == "usable"), None)
            return [gocardless_forms.method(each, is_default=each["id"] == default) for each in listed]

    def ask_method(self, connection: Connection, method_id: str) -> Method:
        """A mandate as it is."""
        try:
            with gocardless_client.calls(connection, about="method") as api:
                return gocardless_forms.method(api.mandates.get(method_id).attributes)
        except Refused as refusal:
            if refusal.lost != "method":
                raise
            return Method(method_id, "", "forgotten")

    def forget(self, connection: Connection, method_id: str) -> None:
        """Cancel; refused for what is no mandate any more."""
        try:
            with gocardless_client.calls(connection, about="method") as api:
                api.mandates.cancel(method_id)
        except Refused:
            if self.ask_method(connection, method_id).state != "forgotten":
                raise

    def charge(self, connection: Connection, request: ChargeRequest, key: str) -> Outcome:
        """A payment. The answer never says whether the bank pays: that comes days later."""
        if request.currency.upper() not in gocardless_forms.CURRENCIES.values():
            return Refused(gocardless_forms.CURRENCY_NOT_SUPPORTED).outcome()
        body = gocardless_forms.charge_body(request)
        try:
            with gocardless_client.calls(connection, about="method") as api:
                made = gocardless_client.once(
                    api.payments, body, key, same=partial(gocardless_forms.same_charge, request=request)
                )
                return self._explained(api, made, None)
        except Refused as refusal:
            return refusal.outcome()

    def find(self, connection: Connection, request: ChargeRequest, since: datetime) -> Outcome | None:
        """Among the payments of the mandate; one that does not exist has none."""
        try:
            with gocardless_client.calls(connection, about="method") as api:
                listed = gocardless_client.listed(
                    api.payments, {"mandate": request.method_id, **gocardless_client.since(since)}
                )
                found = [
                    each for each in listed if signed.part(each, "metadata", "lago_payment_id") == request.payment_id
                ]
                outcomes = [self._explained(api, each, None) for each in found]
        except Refused as refusal:
            if refusal.lost != "method":
                raise
            return None
        return min(outcomes, key=lambda each: ("succeeded", "processing", "failed").index(each.status), default=None)

    def ask(self, connection: Connection, provider_id: str, hint: Hint | None = None) -> Outcome:
        """The payment, and of one that failed the event that says why."""
        with gocardless_client.calls(connection) as api:
            return self._explained(api, api.payments.get(provider_id).attributes, hint)

    def cancel(self, connection: Connection, provider_id: str) -> Outcome:
        """Refused for what was submitted to the bank."""
        try:
            with gocardless_client.calls(connection) as api:
                return gocardless_forms.outcome(api.payments.cancel(provider_id).attributes)
        except Refused:
            return self.ask(connection, provider_id)

    def refund(self, connection: Connection, request: RefundRequest, key: str) -> RefundOutcome:
        """A refund. When somebody refunds at the same time the sum differs; then it is read once more."""
        try:
            try:
                return self._refund(connection, request, key)
            except Refused as refusal:
                if refusal.error.error_code != "total_amount_confirmation_invalid":
                    raise
            return self._refund(connection, request, key)
        except Refused as refusal:
            return refusal.refund_outcome()

    def find_refund(self, connection: Connection, request: RefundRequest) -> RefundOutcome | None:
        """Among the refunds of the payment."""
        with gocardless_client.calls(connection) as api:
            listed = gocardless_client.listed(api.refunds, {"payment": request.provider_payment_id})
            found = [gocardless_forms.refund_outcome(each) for each in listed]
        ours = [each for each in found if each.metadata.get("lago_credit_note_id") == request.refund_id]
        return min(ours, key=lambda each: ("succeeded", "pending", "failed").index(each.status), default=None)

    def ask_refund(self, connection: Connection, refund_id: str) -> RefundOutcome:
        """The refund says all."""
        with gocardless_client.calls(connection) as api:
            return gocardless_forms.refund_outcome(api.refunds.get(refund_id).attributes)

    def refundable(self, connection: Connection, provider_id: str) -> int:
        """Of what was collected, less what refunds took."""
        with gocardless_client.calls(connection) as api:
            payment = api.payments.get(provider_id).attributes
            collected = payment["status"] in ("confirmed", "paid_out")
            left = gocardless_forms.cents(payment["amount"]) - gocardless_forms.cents(
                payment.get("amount_refunded") or 0
            )
            return max(left, 0) if collected else 0

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: datetime) -> list[Event]:
        """A batch of events. The signature has no time: a batch that comes again has the ids that it had."""
        given = signed.header(headers, self.signature_header)
        if not any(signed.same(signed.digest(secret, body), given) for secret in secrets if secret):
            raise NotVerified("the signature is of another secret or body")
        return gocardless_forms.events(signed.read(body))

    def _explained(self, api: Any, payment: dict[str, Any], hint: Hint | None) -> Outcome:
        """A payment as an outcome. Why it failed, and whether it is tried again, stands in its events; a token that may not
        read them leaves the hint."""
        status, errors = str(payment["status"]), gocardless_client.library().errors
        if gocardless_forms.STATUSES.get(status) != "failed":
            return gocardless_forms.outcome(payment)
        try:
            told = api.events.list({"payment": payment["id"], "limit": _EVENTS_READ}).records
        except (errors.PermissionsError, errors.InvalidApiUsageError, errors.ValidationFailedError):
            told = []
        found = gocardless_forms.explaining([each.attributes for each in told], status)
        return gocardless_forms.outcome(payment, found or hint)

    def _refund(self, connection: Connection, request: RefundRequest, key: str) -> RefundOutcome:
        try:
            with gocardless_client.calls(connection) as api:
                payment = api.payments.get(request.provider_payment_id).attributes
                refunded = gocardless_forms.cents(payment.get("amount_refunded") or 0)
                body = gocardless_forms.refund_body(request, refunded=refunded)
                made = gocardless_client.once(
                    api.refunds, body, key, same=partial(gocardless_forms.same_refund, request=request)
                )
                return gocardless_forms.refund_outcome(made)
        except Misconfigured as problem:
            with gocardless_client.calls(connection) as api:
                creditors = [each.attributes for each in api.creditors.list({}).records]
            if creditors and all(each.get("can_create_refunds") is False for each in creditors):
                raise Refused(problem.error) from None  # Nothing is wrong with the token: the account has no refunds.
            raise


PROVIDER = GoCardless()
