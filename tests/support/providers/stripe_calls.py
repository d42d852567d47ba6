"""The calls that the fake of Stripe takes, each by the official library's types of its request and answer."""

import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import stripe
from stripe import params
from stripe.params import checkout

from tests.support.providers.stripe_account import Account, Object
from tests.support.providers.stripe_types import checked, refused

Sent = dict[str, Any]
Call = Callable[..., Object]
PAGE_SECONDS = 24 * 3600
PAGE_SECONDS_LEAST = 30 * 60


def _create_customer(account: Account, sent: Sent) -> Object:
    values = {name: value for name, value in checked(params.CustomerCreateParams, sent).items() if value != ""}
    settings = {"default_payment_method": None, "custom_fields": None, "footer": None}
    return account.add(stripe.Customer, "cus", **{"invoice_settings": settings, **values})


def _update_customer(account: Account, sent: Sent, customer_id: str) -> Object:
    values = checked(params.CustomerUpdateParams, sent)
    customer = account.get("customer", customer_id)
    if customer.get("deleted"):
        raise refused(f"No such customer: '{customer_id}'", code="resource_missing", param="id", status=404)
    metadata = {**customer["metadata"], **(values.pop("metadata", None) or {})}
    settings = {**customer["invoice_settings"], **values.pop("invoice_settings", {})}
    customer |= {name: value or None for name, value in values.items()}
    customer |= {"metadata": metadata, "invoice_settings": settings}
    account.tell("customer.updated", customer)
    return customer


def _get_customer(account: Account, sent: Sent, customer_id: str) -> Object:
    checked(params.CustomerRetrieveParams, sent)
    return account.get("customer", customer_id)


def _delete_customer(account: Account, sent: Sent, customer_id: str) -> Object:
    customer = account.get("customer", customer_id)
    for method in account.listed("payment_method", customer=customer_id):
        method["customer"] = None
    account.objects[customer_id] = {"id": customer_id, "object": "customer", "deleted": True}
    account.tell("customer.deleted", customer)
    return account.objects[customer_id]


def _create_method(account: Account, sent: Sent) -> Object:
    values = checked(params.PaymentMethodCreateParams, sent)
    kind = values.get("type", "card")
    number = values.get(kind, {}).get("iban" if kind == "sepa_debit" else "number", "")
    return account.add_method(kind, number.replace(" ", ""), metadata=values.get("metadata", {}))


def _attach_method(account: Account, sent: Sent, method_id: str) -> Object:
    customer = account.customer(checked(params.PaymentMethodAttachParams, sent).get("customer"))
    method = account.get("payment_method", method_id)
    method["customer"] = customer["id"]
    account.tell("payment_method.attached", method)
    return method


def _detach_method(account: Account, sent: Sent, method_id: str) -> Object:
    checked(params.PaymentMethodDetachParams, sent)
    method = account.get("payment_method", method_id)
    account.detach(method)
    return method


def _create_intent(account: Account, sent: Sent) -> Object:
    values = checked(params.PaymentIntentCreateParams, sent)
    confirm, types = values.pop("confirm", False), values.get("allowed_payment_method_types")
    off_session, asks = values.pop("off_session", False), values.pop("error_on_requires_action", False)
    place = values.pop("return_url", None)
    account.checked_amount(values["amount"], values["currency"])
    customer = account.customer(values["customer"]) if "customer" in values else None
    if not confirm and (off_session or asks or place):
        raise refused("These parameters can only be passed when confirm is true.", param="confirm")
    if types and "automatic_payment_methods" in values:
        raise refused(
            "allowed_payment_method_types excludes automatic_payment_methods.", param="automatic_payment_methods"
        )
    if confirm and not types and place is None:
        raise refused("The dashboard's payment methods need a return_url.", param="return_url")
    if confirm and off_session and place is not None:
        raise refused("return_url cannot be passed with off_session.", param="return_url")
    method = None
    if confirm:
        method = account.method_of(customer, values.get("payment_method"))
        account.fitting(method, values["currency"], types or [method["type"]])
    given = {name: value for name, value in values.items() if name in stripe.PaymentIntent.__annotations__}
    start = {"status": "requires_confirmation", "amount_received": 0, "client_secret": secrets.token_hex(8)}
    intent = account.add(stripe.PaymentIntent, "pi", **start, **given)
    account.tell("payment_intent.created", intent)
    if method is not None:
        account.confirm(intent, method, off_session=bool(off_session), fails_on_action=asks)
    return intent


def _cancel_intent(account: Account, sent: Sent, intent_id: str) -> Object:
    reason = checked(params.PaymentIntentCancelParams, sent).get("cancellation_reason")
    intent = account.get("payment_intent", intent_id)
    if intent["status"] in ("succeeded", "canceled", "processing"):
        message = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
        raise refused(message, code="payment_intent_unexpected_state")
    intent |= {"status": "canceled", "canceled_at": account.now(), "cancellation_reason": reason, "next_action": None}
    account.tell("payment_intent.canceled", intent)
    return intent


def _create_session(account: Account, sent: Sent) -> Object:
    values = checked(checkout.SessionCreateParams, sent)
    mode, types = values.get("mode"), values.get("allowed_payment_method_types")
    customer = account.customer(values["customer"]) if "customer" in values else None
    lasts = values.get("expires_at", account.now() + PAGE_SECONDS) - account.now()
    if "success_url" not in values or not urlsplit(values["success_url"]).scheme.startswith("http"):
        raise refused("Missing required param: success_url.", code="parameter_missing", param="success_url")
    if not PAGE_SECONDS_LEAST - 60 <= lasts <= PAGE_SECONDS:
        raise refused("expires_at must be between 30 minutes and 24 hours from now.", param="expires_at")
    amount = currency = None
    if mode == "setup" and not types and "currency" not in values:
        raise refused("Missing required param: currency.", code="parameter_missing", param="currency")
    if mode == "payment":
        (line,) = values.get("line_items") or [{}]
        price = line.get("price_data") or {}
        amount, currency = price.get("unit_amount", 0) * line.get("quantity", 0), price.get("currency", "")
        account.checked_amount(amount, currency, "line_items[0][price_data][unit_amount]")
    elif mode != "setup":
        raise refused("Invalid mode.", param="mode")
    session = account.add(
        *(stripe.checkout.Session, "cs"),
        **{"mode": mode, "customer": customer and customer["id"], "allowed_payment_method_types": types},
        **{
            "amount_total": amount,
            "currency": currency or values.get("currency"),
            "metadata": values.get("metadata", {}),
        },
        **{"status": "open", "expires_at": account.now() + lasts, "success_url": values["success_url"]},
        payment_status="unpaid" if mode == "payment" else "no_payment_required",
    )
    session["url"] = f"{account.url}/pay/{session['id']}"
    account.inside[session["id"]] = values.get("payment_intent_data") or values.get("setup_intent_data") or {}
    return session


def _session(account: Account, session_id: str) -> Object:
    session = account.get("checkout.session", session_id)
    if session["status"] == "open" and account.now() >= session["expires_at"]:
        _end(account, session)
    return session


def _end(account: Account, session: Object) -> None:
    session |= {"status": "expired", "url": None}
    account.tell("checkout.session.expired", session)


def _get_session(account: Account, sent: Sent, session_id: str) -> Object:
    checked(checkout.SessionRetrieveParams, sent)
    return _session(account, session_id)


def _expire_session(account: Account, sent: Sent, session_id: str) -> Object:
    checked(checkout.SessionExpireParams, sent)
    session = _session(account, session_id)
    if session["status"] != "open":
        message = f"Only Checkout Sessions with a status of open can be expired. It has {session['status']}."
        raise refused(message)
    _end(account, session)
    return session


def complete(account: Account, object_id: str, number: str) -> Object:
    """What a customer does on a page: pay, leave a way to pay, or pass 3-D Secure.

    Raises: Problem, where the bank refuses; the page stays open.
    """
    if object_id.startswith("pi_"):
        account.succeed(account.get("payment_intent", object_id))
        return account.objects[object_id]
    session = _session(account, object_id)
    if session["status"] != "open":
        raise refused("This page is not open any more.")
    kind = "sepa_debit" if number[:2].isalpha() else "card"
    method, inside = account.add_method(kind, number), account.inside[session["id"]]
    account.fitting(method, session["currency"] or "eur", session["allowed_payment_method_types"] or [kind])
    customer = session["customer"]
    if session["mode"] == "payment":
        same = {"amount": session["amount_total"], "currency": session["currency"], "customer": customer}
        intent = account.add(
            stripe.PaymentIntent, "pi", status="requires_confirmation", amount_received=0, **same, **inside
        )
        account.confirm(intent, method, off_session=False, fails_on_action=True)
        session |= {"payment_intent": intent["id"]}
        session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    else:
        method["customer"] = customer
        account.tell("payment_method.attached", method)
        about = {"customer": customer, "payment_method": method["id"]}
        done = account.add(stripe.SetupIntent, "seti", status="succeeded", usage="off_session", **about, **inside)
        session["setup_intent"] = done["id"]
        account.tell("setup_intent.succeeded", done)
    session |= {"status": "complete", "url": None}
    account.tell("checkout.session.completed", session)
    return session


def _create_refund(account: Account, sent: Sent) -> Object:
    values = checked(params.RefundCreateParams, sent)
    intent = account.get("payment_intent", values.pop("payment_intent", ""), param="payment_intent", status=400)
    return account.refund(intent, values.pop("amount", None), **values)


def _create_endpoint(account: Account, sent: Sent) -> Object:
    values = checked(params.WebhookEndpointCreateParams, sent)
    if not urlsplit(values["url"]).scheme.startswith("http"):
        raise refused("Invalid URL: an explicit scheme must be provided.", code="url_invalid", param="url")
    secret = f"whsec_{secrets.token_hex(16)}"
    endpoint = account.add(stripe.WebhookEndpoint, "we", status="enabled", secret=secret, **values)
    shown = {**endpoint}
    return shown


def _delete_endpoint(account: Account, sent: Sent, endpoint_id: str) -> Object:
    account.get("webhook_endpoint", endpoint_id)
    del account.objects[endpoint_id]
    return {"id": endpoint_id, "object": "webhook_endpoint", "deleted": True}


def _get(kind: str, params_of: Any) -> Call:
    def call(account: Account, sent: Sent, object_id: str) -> Object:
        checked(params_of, sent)
        found = account.get(kind, object_id)
        return {**found, "secret": None} if kind == "webhook_endpoint" else found

    return call


def _list(kind: str, params_of: Any, *filters: str) -> Call:
    def call(account: Account, sent: Sent) -> Object:
        values = checked(params_of, sent)
        if "customer" in values and values["customer"] not in account.objects:
            account.customer(values["customer"])
        found = account.listed(kind, **{name: values[name] for name in filters if name in values})
        spans = values.get("created") or {}
        found = [each for each in found if _within(each["created"], spans)]
        if "starting_after" in values:
            ids = [each["id"] for each in found]
            found = found[ids.index(values["starting_after"]) + 1 :]
        limit = values.get("limit", 10)
        if not 1 <= limit <= 100:
            raise refused("limit must be 1 to 100.", param="limit")
        url = f"/v1/{kind.replace('.', '/')}s"
        return {"object": "list", "data": found[:limit], "has_more": len(found) > limit, "url": url}

    return call


def _within(at: int, spans: Any) -> bool:
    if isinstance(spans, int):
        return at == spans
    tests = {"gte": at.__ge__, "gt": at.__gt__, "lte": at.__le__, "lt": at.__lt__}
    return all(tests[name](bound) for name, bound in spans.items())


CALLS: dict[str, Call] = {
    "POST /v1/customers": _create_customer,
    "GET /v1/customers": _list("customer", params.CustomerListParams, "email"),
    "GET /v1/customers/:id": _get_customer,
    "POST /v1/customers/:id": _update_customer,
    "DELETE /v1/customers/:id": _delete_customer,
    "POST /v1/payment_methods": _create_method,
    "GET /v1/payment_methods": _list("payment_method", params.PaymentMethodListParams, "customer", "type"),
    "GET /v1/payment_methods/:id": _get("payment_method", params.PaymentMethodRetrieveParams),
    "POST /v1/payment_methods/:id/attach": _attach_method,
    "POST /v1/payment_methods/:id/detach": _detach_method,
    "POST /v1/payment_intents": _create_intent,
    "GET /v1/payment_intents": _list("payment_intent", params.PaymentIntentListParams, "customer"),
    "GET /v1/payment_intents/:id": _get("payment_intent", params.PaymentIntentRetrieveParams),
    "POST /v1/payment_intents/:id/cancel": _cancel_intent,
    "GET /v1/setup_intents/:id": _get("setup_intent", params.SetupIntentRetrieveParams),
    "POST /v1/checkout/sessions": _create_session,
    "GET /v1/checkout/sessions": _list("checkout.session", checkout.SessionListParams, "customer", "payment_intent"),
    "GET /v1/checkout/sessions/:id": _get_session,
    "POST /v1/checkout/sessions/:id/expire": _expire_session,
    "POST /v1/refunds": _create_refund,
    "GET /v1/refunds": _list("refund", params.RefundListParams, "payment_intent", "charge"),
    "GET /v1/refunds/:id": _get("refund", params.RefundRetrieveParams),
    "GET /v1/charges/:id": _get("charge", params.ChargeRetrieveParams),
    "GET /v1/disputes": _list("dispute", params.DisputeListParams, "payment_intent", "charge"),
    "GET /v1/disputes/:id": _get("dispute", params.DisputeRetrieveParams),
    "POST /v1/webhook_endpoints": _create_endpoint,
    "GET /v1/webhook_endpoints": _list("webhook_endpoint", params.WebhookEndpointListParams),
    "GET /v1/webhook_endpoints/:id": _get("webhook_endpoint", params.WebhookEndpointRetrieveParams),
    "DELETE /v1/webhook_endpoints/:id": _delete_endpoint,
}
_PATTERNS = {name: re.compile(name.replace(":id", "([A-Za-z0-9_]+)")) for name in CALLS}


def match(call: str) -> tuple[str | None, tuple[str, ...]]:
    """The name of a call, and the ids in its path."""
    for name, pattern in _PATTERNS.items():
        found = pattern.fullmatch(call)
        if found:
            return name, found.groups()
    return None, ()
