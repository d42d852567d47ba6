"""One Stripe account: its objects and what charging, paying and refunding does to them."""

import secrets
from collections.abc import Callable
from typing import Any

import stripe

from tests.support.providers.frame import Answer, Problem
from tests.support.providers.sending import Told
from tests.support.providers.stripe_cards import CARDS, LEAST, LEAST_ELSE, ONLY_EURO, TENS_ONLY, WHOLE_ONLY, Card
from tests.support.providers.stripe_types import made, refused

Object = dict[str, Any]
OLD_SHAPE = "2017-08-15"


class Account:
    """The objects of an account by id, in the order in which they came."""

    def __init__(self, name: str, now: Callable[[], int], tell: Callable[[Told], None]) -> None:
        self.name, self.now, self.url = name, now, ""
        self.objects: dict[str, Object] = {}
        self.keys: dict[str, tuple[str, int, Answer | None]] = {}
        self.inside: dict[str, Object] = {}  # What a page gives to the intent that it makes.
        self._numbers: dict[str, str] = {}
        self._tell = tell

    # Objects.

    def add(self, kind: Any, prefix: str, **values: Any) -> Object:
        """A new object of one of the library's classes."""
        known = {"livemode": self.name.startswith(("sk_live", "rk_live")), "metadata": {}, "created": self.now()}
        given = {name: value for name, value in known.items() if name in kind.__annotations__} | values
        new = made(kind, id=f"{prefix}_{secrets.token_hex(12)}", **given)
        self.objects[new["id"]] = new
        return new

    def get(self, kind: str, object_id: Any, *, param: str = "id", status: int = 404) -> Object:
        """An object that there is.

        Raises: Problem, `resource_missing`.
        """
        found = self.objects.get(str(object_id))
        if found is None or found["object"] != kind:
            raise refused(f"No such {kind}: '{object_id}'", code="resource_missing", param=param, status=status)
        return found

    def customer(self, object_id: Any) -> Object:
        """A customer that was not deleted, as another request names it."""
        found = self.get("customer", object_id, param="customer", status=400)
        if found.get("deleted"):
            raise refused(f"No such customer: '{object_id}'", code="resource_missing", param="customer")
        return found

    def listed(self, kind: str, **by: Any) -> list[Object]:
        """The objects of a kind with these values, the newest first."""
        found = [each for each in self.objects.values() if each["object"] == kind and not each.get("deleted")]
        return [each for each in found if all(each[name] == value for name, value in by.items())][::-1]

    def tell(self, kind: str, about: Object) -> None:
        """An event, with the object as it is at this moment."""
        event = self.add(stripe.Event, "evt", type=kind, api_version=stripe.api_version, pending_webhooks=1)
        event["data"] = {"object": {**about}}
        event["request"] = {"id": None, "idempotency_key": None}
        self._tell(Told(event["id"], self.name, event))

    # Ways to pay.

    def add_method(self, kind: str, number: str, **values: Any) -> Object:
        """A card or a bank account, not attached yet."""
        if number not in CARDS:
            raise refused(
                "Your card number is incorrect.", code="incorrect_number", param=f"{kind}[number]", status=402
            )
        details: Object = {"last4": number[-4:]}
        details |= (
            {"brand": "visa", "exp_month": 12, "exp_year": 2034} if kind == "card" else {"bank_code": number[4:12]}
        )
        new = self.add(stripe.PaymentMethod, "pm", type=kind, **{kind: details}, **values)
        self._numbers[new["id"]] = number
        return new

    def detach(self, method: Object) -> None:
        """Take a way to pay from its customer."""
        if method["customer"] is None:
            raise refused("The payment method you provided is not attached to a customer so detachment is impossible.")
        method["customer"] = None
        self.tell("payment_method.detached", method)

    def _card(self, method: Object) -> Card:
        return CARDS[self._numbers[method["id"]]]

    # Paying.

    def checked_amount(self, amount: int, currency: str, param: str = "amount") -> None:
        """Refuse what cannot be collected."""
        if currency != currency.lower() or len(currency) != 3:
            raise refused(f"Invalid currency: {currency}", code="invalid_currency", param="currency")
        if amount < 1:
            raise refused(
                "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param=param
            )
        if (currency in WHOLE_ONLY and amount % 100) or (currency in TENS_ONLY and amount % 10):
            raise refused("Invalid amount for this currency.", code="invalid_amount", param=param)
        if amount < LEAST.get(currency, LEAST_ELSE):
            raise refused("Amount must be at least the minimum.", code="amount_too_small", param=param)

    def method_of(self, customer: Object | None, method_id: Any) -> Object:
        """A way to pay that can be charged on behalf of a customer."""
        method = self.get("payment_method", method_id, param="payment_method", status=400)
        if method["customer"] is None:
            gone = "was detached from a Customer. It may not be used again."
            raise refused(f"The provided PaymentMethod {gone}", param="payment_method")
        if customer is None or method["customer"] != customer["id"]:
            raise refused("The PaymentMethod does not belong to the Customer you supplied.", param="payment_method")
        return method

    def fitting(self, method: Object, currency: str, types: list[str]) -> None:
        """Refuse a way to pay that is not among the types, once those that do not fit the currency are dropped."""
        kept = [each for each in types if currency == "eur" or each not in ONLY_EURO]
        if method["type"] not in kept:
            raise refused(
                f"The payment method type {method['type']} is not allowed or does not fit the currency.",
                code="payment_intent_incompatible_payment_method",
                param="payment_method",
            )

    def confirm(self, intent: Object, method: Object, *, off_session: bool, fails_on_action: bool) -> None:
        """Try to collect.

        Raises: Problem, a 402 that stays under the call's key, where the bank refuses.
        """
        card = self._card(method)
        intent["payment_method"] = method["id"]
        if card.decline:
            self._fail(intent, method, card.code, card.decline)
        if card.asks and (off_session or fails_on_action):
            self._fail(intent, method, "authentication_required", "authentication_required")
        if card.asks:
            intent["status"] = "requires_action"
            place = {"url": f"https://hooks.stripe.com/3d/{intent['id']}", "return_url": None}
            intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": place}
            self.tell("payment_intent.requires_action", intent)
        elif method["type"] in ONLY_EURO:
            intent["status"] = "processing"
            self.tell("payment_intent.processing", intent)
        else:
            self.succeed(intent)

    def succeed(self, intent: Object) -> None:
        """The money is there."""
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "next_action": None}
        charge = self._charge(intent, status="succeeded", paid=True, captured=True)
        intent["latest_charge"] = charge["id"]
        self.tell("payment_intent.succeeded", intent)
        method = self.objects[intent["payment_method"]]
        if self._card(method).disputed:
            charge["disputed"] = True
            same = {name: intent[name] for name in ("amount", "currency")}
            about = {"payment_intent": intent["id"], "charge": charge["id"], "reason": "fraudulent"}
            dispute = self.add(stripe.Dispute, "dp", status="needs_response", **same, **about)
            self.tell("charge.dispute.created", dispute)

    def fail(self, intent: Object, method: Object, code: str, decline: str) -> Object:
        """The bank refuses; returns the error."""
        error = {
            "type": "card_error",
            "code": code,
            "decline_code": decline,
            "message": f"Your payment was refused: {decline}.",
        }
        charge = self._charge(intent, status="failed", paid=False, failure_code=code)
        intent |= {"status": "requires_payment_method", "next_action": None, "payment_method": None}
        intent |= {"last_payment_error": {**error, "payment_method": {**method}}, "latest_charge": charge["id"]}
        self.tell("payment_intent.payment_failed", intent)
        return {**error, "charge": charge["id"]}

    def _fail(self, intent: Object, method: Object, code: str, decline: str) -> None:
        error = self.fail(intent, method, code, decline)
        raise Problem(Answer(402, {"error": {**error, "payment_intent": {**intent}}}), stored=True)

    def settle(self) -> None:
        """Days pass for bank debits: they are paid, or come back."""
        for intent in self.listed("payment_intent", status="processing"):
            method = self.objects[intent["payment_method"]]
            if self._card(method).fails_later:
                self.fail(intent, method, "payment_intent_payment_attempt_failed", "insufficient_funds")
            else:
                self.succeed(intent)

    def _charge(self, intent: Object, **values: Any) -> Object:
        same = {name: intent[name] for name in ("amount", "currency", "customer", "payment_method", "metadata")}
        return self.add(stripe.Charge, "ch", payment_intent=intent["id"], amount_refunded=0, **same, **values)

    # Giving back.

    def refund(self, intent: Object, amount: int | None, **values: Any) -> Object:
        """A refund, within what is left."""
        charge = self.objects.get(intent["latest_charge"] or "")
        if intent["status"] != "succeeded" or charge is None:
            raise refused("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        if charge["disputed"]:
            raise refused("This charge has been charged back.", code="charge_disputed", param="payment_intent")
        left = charge["amount"] - charge["amount_refunded"]
        if left == 0:
            raise refused("Charge has already been refunded.", code="charge_already_refunded")
        wanted = left if amount is None else amount
        if not 1 <= wanted <= left:
            raise refused(f"Refund amount ({wanted}) is greater than unrefunded amount ({left}).", param="amount")
        charge["amount_refunded"] += wanted
        slow = self.objects[charge["payment_method"]]["type"] in ONLY_EURO
        about = {"payment_intent": intent["id"], "charge": charge["id"], "currency": intent["currency"]}
        new = self.add(stripe.Refund, "re", amount=wanted, status="pending" if slow else "succeeded", **about, **values)
        self.tell("refund.created", new)
        self.tell("charge.refunded", charge)
        return new

    # What somebody does elsewhere.

    def move(self, object_id: str, status: str, **values: Any) -> Object:
        """An object gets another status, by what happens at the bank or in the dashboard."""
        found = self.objects[object_id]
        kind = found["object"]
        if kind == "payment_intent" and status == "succeeded":
            self.succeed(found)
        elif kind == "payment_intent" and status == "requires_payment_method":
            method = self.objects[found["payment_method"]]
            self.fail(found, method, values.get("code", "card_declined"), values.get("decline", "generic_decline"))
        elif kind == "payment_intent":
            found |= {"status": status, **values}
            self.tell(f"payment_intent.{status}", found)
        elif kind == "refund":
            if status in ("failed", "canceled"):
                self.objects[found["charge"]]["amount_refunded"] -= found["amount"]
            found |= {"status": status, **values}
            for name in ("refund.failed",) * (status == "failed") + ("refund.updated", "charge.refund.updated"):
                self.tell(name, found)
        elif kind == "dispute":
            found |= {"status": status, **values}
            self.tell("charge.dispute.closed" if status in ("won", "lost") else "charge.dispute.updated", found)
        else:
            raise KeyError(kind)
        return found
