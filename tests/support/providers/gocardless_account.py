"""One GoCardless account: its objects, and what days, banks and payers do to them."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from gocardless_pro import resources

from tests.support.providers.frame import Answer, Problem
from tests.support.providers.sending import Told

Object = dict[str, Any]
SCHEMES = {
    "AUD": "becs",
    "CAD": "pad",
    "DKK": "betalingsservice",
    "EUR": "sepa_core",
    "GBP": "bacs",
    "NZD": "becs_nz",
    "SEK": "autogiro",
    "USD": "ach",
}
USABLE = ("pending_customer_approval", "pending_submission", "submitted", "active")
# The name of a collection, its class and the letters that its ids begin with.
KINDS: dict[str, tuple[Any, str]] = {
    "customers": (resources.Customer, "CU"),
    "customer_bank_accounts": (resources.CustomerBankAccount, "BA"),
    "creditors": (resources.Creditor, "CR"),
    "mandates": (resources.Mandate, "MD"),
    "billing_requests": (resources.BillingRequest, "BRQ"),
    "billing_request_flows": (resources.BillingRequestFlow, "BRF"),
    "payments": (resources.Payment, "PM"),
    "refunds": (resources.Refund, "RF"),
    "events": (resources.Event, "EV"),
}
_CAUSES = {
    "submitted": "payment_submitted",
    "confirmed": "payment_confirmed",
    "paid_out": "payment_paid_out",
    "failed": "insufficient_funds",
    "cancelled": "payment_cancelled",
    "charged_back": "authorisation_disputed",
    "chargeback_cancelled": "payment_chargeback_cancelled",
    "resubmission_requested": "payment_retried",
}
REFUNDS_MAX = 5


def refused(
    kind: str, reason: str, message: str, *, status: int = 422, field: str = "", links: Object | None = None
) -> Problem:
    """A call that is answered with an error of GoCardless' form."""
    one: Object = {"reason": reason, "message": message}
    if field:
        one = {"field": field, "message": message, "request_pointer": f"/{field.replace('.', '/')}"}
    if links:
        one["links"] = links
    error = {"type": kind, "code": status, "message": message, "errors": [one], "request_id": secrets.token_hex(8)}
    return Problem(Answer(status, {"error": {**error, "documentation_url": "https://developer.gocardless.com/"}}))


def invalid(field: str, message: str) -> Problem:
    """A field that is not good."""
    return refused("validation_failed", "", message, field=field)


def not_in_state(reason: str, message: str) -> Problem:
    """An act that the object's state does not allow."""
    return refused("invalid_state", reason, message)


def _known(kind: Any) -> set[str]:
    return {name for name, value in vars(kind).items() if isinstance(value, property)}


class Account:
    """The objects of an account by id, in the order in which they came. `webhooks`: URL and secret of each endpoint."""

    def __init__(self, token: str, now: Callable[[], datetime], tell: Callable[[Told], None]) -> None:
        self.token, self.now, self._tell, self.url = token, now, tell, ""
        self.objects: dict[str, tuple[str, Object]] = {}
        self.keys: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.webhooks: list[tuple[str, str]] = []
        self.add("creditors", name="Acme", can_create_refunds=True, links={})

    # Objects.

    def add(self, kind: str, **values: Any) -> Object:
        """A new object of one of the library's classes, with no field that the class has not."""
        of, letters = KINDS[kind]
        known = _known(of)
        assert set(values) <= known, f"{kind} have no {sorted(set(values) - known)}"
        inner = {name: vars(of)[name.title().replace("_", "")] for name in ("links",) if "Links" in vars(of)}
        for name, shape in inner.items():
            assert set(values.get(name, {})) <= _known(shape), f"{name} of {kind} have no {values[name]}"
        new: Object = {"id": f"{letters}{secrets.token_hex(7).upper()}", "created_at": self.stamp(), **values}
        if "metadata" in known:
            new.setdefault("metadata", {})
        self.objects[new["id"]] = (kind, new)
        return new

    def get(self, kind: str, object_id: str, field: str = "") -> Object:
        """An object that there is.

        Raises: Problem, 404, or 422 for one that a request names in a field.
        """
        found = self.objects.get(object_id)
        if found is None or found[0] != kind:
            if field:
                raise invalid(field, "resource not found")
            raise refused("invalid_api_usage", "resource_not_found", "Resource not found", status=404)
        return found[1]

    def listed(self, kind: str, **links: str) -> list[Object]:
        """The objects of a kind with these links, the newest first."""
        found = [each for of, each in self.objects.values() if of == kind]
        return [each for each in found if all(each["links"].get(name) == value for name, value in links.items())][::-1]

    def stamp(self) -> str:
        """Now, as GoCardless writes it."""
        now = self.now()
        return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"

    def tell(self, kind: str, about: Object, action: str, details: Object | None = None, **links: str) -> None:
        """An event of an object."""
        why = {"origin": "gocardless", "cause": f"{kind[:-1]}_{action}", "description": f"The {kind[:-1]} is {action}."}
        values = {"resource_type": kind, "action": action, "details": {**why, **(details or {})}, "metadata": {}}
        event = self.add("events", **values, links={kind[:-1]: about["id"], **links})
        event["resource_metadata"] = {**about.get("metadata", {})}
        self._tell(Told(event["id"], self.token, event))

    # Mandates.

    def fulfil(self, request: Object) -> Object:
        """A customer signs: the mandate is there."""
        if request["status"] != "pending":
            raise not_in_state("billing_request_already_fulfilled", "It is fulfilled already.")
        customer, currency = request["links"]["customer"], request["mandate_request"]["currency"]
        bank = self.add("customer_bank_accounts", account_number_ending="00", links={"customer": customer})
        mandate = self.add(
            *("mandates",),
            **{"status": "pending_submission", "scheme": SCHEMES[currency], "reference": secrets.token_hex(4).upper()},
            links={"customer": customer, "customer_bank_account": bank["id"], "creditor": self._creditor()},
        )
        request["status"] = "fulfilled"
        request["links"]["mandate_request_mandate"] = mandate["id"]
        self.tell("mandates", mandate, "created", customer=customer)
        links = {"customer": customer, "mandate_request_mandate": mandate["id"]}
        self.tell("billing_requests", request, "fulfilled", **links)
        return mandate

    def cancel_mandate(self, mandate: Object) -> Object:
        """A mandate ends, and with it what was not submitted yet."""
        if mandate["status"] in ("cancelled", "failed", "expired", "consumed"):
            raise not_in_state("cancellation_failed", "The mandate cannot be cancelled.")
        return self._end_mandate(mandate, "cancelled", {"origin": "api"})

    def _end_mandate(self, mandate: Object, status: str, details: Object, **links: str) -> Object:
        mandate["status"] = status
        for payment in self.listed("payments", mandate=mandate["id"]):
            if payment["status"] == "pending_submission":
                self.move_payment(payment, "cancelled", {"cause": "mandate_cancelled"})
        self.tell("mandates", mandate, status, details, **links)
        return mandate

    # Payments and refunds.

    def pay(self, values: Object) -> Object:
        """A payment, to be collected at the earliest day."""
        mandate = self.get("mandates", values["links"].pop("mandate"), "links.mandate")
        if mandate["status"] not in USABLE:
            raise not_in_state("mandate_is_inactive", "Mandate is failed, cancelled or expired")
        if SCHEMES.get(values["currency"]) != mandate["scheme"]:
            raise invalid("currency", "does not match the mandate's scheme")
        day = (self.now() + timedelta(days=3)).date().isoformat()
        start = {"status": "pending_submission", "amount_refunded": 0, "charge_date": day, "scheme": mandate["scheme"]}
        links = {"mandate": mandate["id"], "creditor": self._creditor()}
        payment = self.add("payments", **{**start, **values, "links": links})
        self.tell("payments", payment, "created", {"origin": "api"})
        return payment

    def move_payment(self, payment: Object, status: str, details: Object) -> Object:
        """The bank, or the payer, did something."""
        before, action = payment["status"], status
        if status == "pending_submission":
            action = "resubmission_requested"
            payment["charge_date"] = (self.now() + timedelta(days=5)).date().isoformat()
        elif before == "charged_back" and status == "paid_out":
            action = "chargeback_cancelled"
        payment["status"] = status
        told = {"cause": _CAUSES.get(action, action), "scheme": payment["scheme"], **details}
        if status == "failed":
            told = {"will_attempt_retry": False, "reason_code": "AM04", **told}
        self.tell("payments", payment, action, told)
        return payment

    def refund(self, payment: Object, amount: int, confirmed: int | None, metadata: Object) -> Object:
        """A refund, within what is left. `confirmed`: what the caller believes to be refunded afterwards."""
        if payment["status"] not in ("confirmed", "paid_out"):
            raise not_in_state("refund_payment_invalid_state", "The payment is not confirmed or paid out.")
        if len(self.listed("refunds", payment=payment["id"])) >= REFUNDS_MAX:
            raise not_in_state("number_of_refunds_exceeded", "The payment has been refunded five times.")
        if payment["amount_refunded"] + amount > payment["amount"]:
            raise not_in_state("available_refund_amount_insufficient", "The payment has less left.")
        if confirmed != payment["amount_refunded"] + amount:
            raise not_in_state("total_amount_confirmation_invalid", "The total is another one.")
        links = {"payment": payment["id"], "mandate": payment["links"]["mandate"]}
        about = {"amount": amount, "currency": payment["currency"], "metadata": metadata, "links": links}
        refund = self.add("refunds", status="created", **about)
        payment["amount_refunded"] += amount
        self.tell("refunds", refund, "created", {"origin": "api"}, payment=payment["id"])
        return refund

    def move(self, object_id: str, status: str, **details: Any) -> Object:
        """An object gets another status. `details` are those of the event."""
        kind, found = self.objects[object_id]
        if kind == "payments":
            return self.move_payment(found, status, details)
        if kind == "mandates":
            links = {name: details.pop(name) for name in ("new_mandate",) if name in details}
            found["links"] |= links
            if status in ("cancelled", "failed", "expired", "consumed"):
                return self._end_mandate(found, status, details, **links)
        elif kind == "refunds" and status in ("failed", "cancelled", "bounced", "funds_returned"):
            self.objects[found["links"]["payment"]][1]["amount_refunded"] -= found["amount"]
        found["status"] = status
        self.tell(kind, found, status, details)
        return found

    def settle(self) -> None:
        """Days pass, and everything that is under way is paid."""
        for payment in self.listed("payments"):
            for status in ("submitted", "confirmed", "paid_out"):
                if (
                    payment["status"] in ("pending_submission", "submitted", "confirmed")
                    and payment["status"] != status
                ):
                    self.move_payment(payment, status, {})
        for refund in self.listed("refunds"):
            if refund["status"] in ("created", "submitted"):
                self.move(refund["id"], "paid")

    def _creditor(self) -> str:
        return str(self.listed("creditors")[0]["id"])
