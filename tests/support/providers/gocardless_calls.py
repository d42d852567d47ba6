"""The calls that the fake of GoCardless takes. Its library has no types of requests, so their fields stand here, as its
documentation has them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.support.providers.gocardless_account import SCHEMES, Account, Object, invalid, not_in_state, refused

Sent = dict[str, Any]
Call = Callable[..., Any]
METADATA_KEYS, METADATA_KEY_CHARS, METADATA_CHARS = 3, 50, 500
_CUSTOMER = {
    *("address_line1", "address_line2", "address_line3", "city", "company_name", "country_code", "email", "metadata"),
    *("family_name", "given_name", "language", "phone_number", "postal_code", "region", "danish_identity_number"),
    *("swedish_identity_number",),
}
_PAYMENT = {
    *("amount", "app_fee", "charge_date", "currency", "description", "faster_ach", "links", "metadata"),
    *("psu_interaction_type", "reference", "retry_if_possible"),
}
_REFUND = {"amount", "links", "metadata", "reference", "total_amount_confirmation"}
_BILLING_REQUEST = {
    *("fallback_enabled", "links", "mandate_request", "metadata", "payment_context_code", "payment_purpose_code"),
    *("payment_request", "purpose_code"),
}
_MANDATE_REQUEST = {
    *("authorisation_source", "consent_type", "constraints", "currency", "description", "funds_settlement", "metadata"),
    *("payer_requested_dual_signature", "scheme", "sweeping", "verify"),
}
_FLOW = {
    *(
        "auto_fulfil",
        "customer_details_captured",
        "exit_uri",
        "language",
        "links",
        "lock_bank_account",
        "lock_currency",
    ),
    *("lock_customer_details", "prefilled_bank_account", "prefilled_customer", "redirect_uri", "show_redirect_buttons"),
    *("show_success_redirect_button", "skip_success_screen"),
}
FLOW_LASTS = timedelta(days=7)


def _only(sent: Sent, known: set[str], place: str = "") -> None:
    for name in sent:
        if name not in known:
            raise refused("invalid_api_usage", "unknown_field", f"{place}{name} is not a field", status=400)


def _metadata(sent: Sent) -> Object:
    found = sent.get("metadata", {})
    if len(found) > METADATA_KEYS:
        raise invalid("metadata", "must have at most three keys")
    for name, value in found.items():
        if len(name) > METADATA_KEY_CHARS or not isinstance(value, str) or len(value) > METADATA_CHARS:
            raise invalid("metadata", "is too long, or no text")
    return dict(found)


def _amount(sent: Sent, name: str = "amount") -> int:
    value = sent.get(name)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if type(value) is not int or value < 1:
        raise invalid(name, "must be an integer greater than 0")
    return value


def _customer_values(sent: Sent) -> Object:
    _only(sent, _CUSTOMER)
    return {**sent, "metadata": _metadata(sent)}


def _create_customer(account: Account, sent: Sent) -> Object:
    values = _customer_values(sent)
    if not values.get("company_name") and not (values.get("given_name") and values.get("family_name")):
        raise invalid("company_name", "is required unless given_name and family_name are given")
    return account.add("customers", **values)


def _update_customer(account: Account, sent: Sent, customer_id: str) -> Object:
    customer = account.get("customers", customer_id)
    customer |= _customer_values(sent)
    return customer


def _remove_customer(account: Account, sent: Sent, customer_id: str) -> Object:
    customer = account.get("customers", customer_id)
    for mandate in account.listed("mandates", customer=customer_id):
        if mandate["status"] != "cancelled":
            account.cancel_mandate(mandate)
    del account.objects[customer_id]
    return customer


def _create_billing_request(account: Account, sent: Sent) -> Object:
    _only(sent, _BILLING_REQUEST)
    wanted, links = sent.get("mandate_request") or {}, dict(sent.get("links") or {})
    _only(wanted, _MANDATE_REQUEST, "mandate_request.")
    if wanted.get("currency") not in SCHEMES:
        raise invalid("mandate_request.currency", "is not supported")
    account.get("customers", links.get("customer", ""), "links.customer")
    about = {"mandate_request": wanted, "metadata": _metadata(sent), "links": links}
    return account.add("billing_requests", status="pending", **about)


def _create_flow(account: Account, sent: Sent) -> Object:
    _only(sent, _FLOW)
    request = account.get("billing_requests", sent["links"].get("billing_request", ""), "links.billing_request")
    expires_at = (account.now() + FLOW_LASTS).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    links = {"billing_request": request["id"]}
    flow = account.add("billing_request_flows", **{**sent, "links": links}, expires_at=expires_at)
    flow["authorisation_url"] = f"{account.url}/flow/{flow['id']}"
    return flow


def _create_payment(account: Account, sent: Sent) -> Object:
    _only(sent, _PAYMENT)
    values = {**sent, "amount": _amount(sent), "metadata": _metadata(sent), "links": dict(sent.get("links") or {})}
    if "mandate" not in values["links"]:
        raise invalid("links.mandate", "is required")
    if values.get("currency") not in SCHEMES:
        raise invalid("currency", "is not supported")
    if len(values.get("description") or "") > 255:
        raise invalid("description", "is too long")
    return account.pay(values)


def _cancel_payment(account: Account, sent: Sent, payment_id: str) -> Object:
    payment = account.get("payments", payment_id)
    if payment["status"] != "pending_submission":
        raise not_in_state("cancellation_failed", "The payment was submitted already.")
    return account.move_payment(payment, "cancelled", {"origin": "api"})


def _cancel_mandate(account: Account, sent: Sent, mandate_id: str) -> Object:
    return account.cancel_mandate(account.get("mandates", mandate_id))


def _create_refund(account: Account, sent: Sent) -> Object:
    _only(sent, _REFUND)
    payment = account.get("payments", (sent.get("links") or {}).get("payment", ""), "links.payment")
    confirmed = _amount(sent, "total_amount_confirmation")
    return account.refund(payment, _amount(sent), confirmed, _metadata(sent))


def _get(kind: str) -> Call:
    def call(account: Account, sent: Sent, object_id: str) -> Object:
        return account.get(kind, object_id)

    return call


def _list(kind: str, *links: str, fields: tuple[str, ...] = ()) -> Call:
    def call(account: Account, query: dict[str, str]) -> Object:
        spans = {"created_at[gte]", "created_at[gt]", "created_at[lte]", "created_at[lt]"}
        for name in query:
            if name not in {"limit", "after", "before", *spans, *links, *fields}:
                raise refused("invalid_api_usage", "invalid_filters", f"no such filter: {name}", status=400)
        found = account.listed(kind, **{name: query[name] for name in links if name in query})
        for name in fields:
            found = [each for each in found if each.get(name) in query[name].split(",")] if name in query else found
        for name in spans & set(query):
            bound = datetime.fromisoformat(query[name])
            found = [each for each in found if _within(datetime.fromisoformat(each["created_at"]), name, bound)]
        limit, ids = int(query.get("limit", "50")), [each["id"] for each in found]
        if not 1 <= limit <= 500:
            raise refused("invalid_api_usage", "invalid_limit", "limit must be 1 to 500", status=400)
        begin = ids.index(query["after"]) + 1 if "after" in query else 0
        page = found[begin : begin + limit]
        more = page[-1]["id"] if begin + limit < len(found) else None
        return {kind: page, "meta": {"cursors": {"before": None, "after": more}, "limit": limit}}

    return call


def _within(at: datetime, name: str, bound: datetime) -> bool:
    tests = {"gte": at.__ge__, "gt": at.__gt__, "lte": at.__le__, "lt": at.__lt__}
    return tests[name.removeprefix("created_at[").removesuffix("]")](bound)


# Of creations, whose keys are kept; and of all else.
CREATIONS: dict[str, Call] = {
    "POST /customers": _create_customer,
    "POST /billing_requests": _create_billing_request,
    "POST /billing_request_flows": _create_flow,
    "POST /payments": _create_payment,
    "POST /refunds": _create_refund,
}
CALLS: dict[str, Call] = {
    **CREATIONS,
    "GET /creditors": _list("creditors"),
    "GET /customers": _list("customers", fields=("currency",)),
    "GET /customers/:id": _get("customers"),
    "PUT /customers/:id": _update_customer,
    "DELETE /customers/:id": _remove_customer,
    "GET /customer_bank_accounts/:id": _get("customer_bank_accounts"),
    "GET /billing_requests/:id": _get("billing_requests"),
    "GET /mandates": _list("mandates", "customer", "creditor", "customer_bank_account", fields=("status", "scheme")),
    "GET /mandates/:id": _get("mandates"),
    "POST /mandates/:id/actions/cancel": _cancel_mandate,
    "GET /payments": _list("payments", "mandate", "creditor", fields=("status", "currency")),
    "GET /payments/:id": _get("payments"),
    "POST /payments/:id/actions/cancel": _cancel_payment,
    "GET /refunds": _list("refunds", "payment", "mandate"),
    "GET /refunds/:id": _get("refunds"),
    "GET /events": _list("events", "payment", "mandate", "refund", fields=("action", "resource_type")),
    "GET /events/:id": _get("events"),
}
_PATTERNS = {name: re.compile(name.replace(":id", "([A-Za-z0-9]+)")) for name in CALLS}


def match(call: str) -> tuple[str | None, tuple[str, ...]]:
    """The name of a call, and the ids in its path."""
    for name, pattern in _PATTERNS.items():
        found = pattern.fullmatch(call)
        if found:
            return name, found.groups()
    return None, ()
