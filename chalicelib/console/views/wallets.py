"""Wallets: a customer's cards, one wallet with its transactions, and acts on it."""

from collections.abc import Mapping
from typing import Any, get_args

from chalicelib import limits
from chalicelib.console import forms, lists, pairs, texts
from chalicelib.console.forms import Form
from chalicelib.console.lists import Filter
from chalicelib.console.texts import label
from chalicelib.console.views import wallet_forms
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.prepaid import ongoing, top_ups
from chalicelib.features.sandbox import service as sandbox
from chalicelib.features.wallets import listings, reading, serializer
from chalicelib.features.wallets.records import SettlementStatus, TransactionStatus, TransactionType, Wallet
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import CustomerId, InvoiceId, WalletId

_FILTERS = tuple(
    Filter(name, (parameter,), "choices", [(each, label(each)) for each in get_args(values)])
    for name, parameter, values in (
        ("Kind", "transaction_status", TransactionStatus),
        ("Status", "status", SettlementStatus),
        ("Direction", "transaction_type", TransactionType),
    )
)


def panel(visit: Visit, customer_id: str) -> dict[str, Any]:
    """The values of `wallets/panel.html`: a customer's wallets, the active ones in their order of use, then the ended ones.
    Their ongoing balances come after the page, which asks for them: they price all usage that is not billed."""
    found = reading.among(customers.items_of(visit.organization.id, CustomerId(customer_id)))
    found.sort(key=lambda each: (not each.usable(visit.now), each.priority, each.created_at, each.id))
    is_whole = bool(visit.query.one("ongoing"))
    shown = (
        ongoing.show(visit.organization.id, found, now=visit.now)
        if is_whole
        else [serializer.wallet(each, 0) for each in found]
    )
    return {"wallets": shown, "ongoing": is_whole}


def new(visit: Visit) -> Page | Redirect:
    """Create a wallet for a customer."""
    return wallet_forms.new(visit)


def edit(visit: Visit) -> Page | Redirect:
    """Change a wallet."""
    return wallet_forms.edit(visit, _record(visit))


def show(visit: Visit) -> Page:
    """One wallet with its transactions, whose sum is the balance. The ongoing balance comes after the page, as in the panel."""
    is_whole = bool(visit.query.one("ongoing"))
    if is_whole and visit.is_htmx:
        return Page("wallets/figures.html", {"wallet": _whole(visit), "ongoing": True})
    organization_id, wallet_id = visit.organization.id, WalletId(visit.path["id"])
    items = customers.items_of(organization_id, reading.holder(organization_id, wallet_id))
    record = reading.of_id(items, wallet_id)

    def fetch(query: Mapping[str, Any]) -> dict[str, Any]:
        found, meta = listings.transactions(visit.api.asking(query), record.id)
        return {"wallet_transactions": [serializer.transaction(each, record) for each in found], "meta": meta}

    listed = lists.gather(visit, "", "wallet_transactions", filters=_FILTERS, fetch=fetch)
    wallet = _whole(visit) if is_whole else serializer.wallet(record, 0)
    wanted = {each[name] for each in listed.rows for name in ("lago_invoice_id", "lago_voided_invoice_id")}
    found = invoices.get_many(visit.organization.id, [InvoiceId(each) for each in wanted if each]) if wanted else {}
    values = {
        "wallet": wallet,
        "listed": listed,
        "numbers": {each.id: each.number for each in found.values()},
        "ongoing": is_whole,
        **wallet_forms.named(visit, items.customer),
        "worth": wallet_forms.worth(wallet["rate_amount"], wallet["currency"]),
    }
    return Page("wallets/show.html", values)


def _whole(visit: Visit) -> dict[str, Any]:
    """The wallet of the address as the API shows it, with the usage that it will have to pay."""
    wallet: dict[str, Any] = visit.api.get(path_of("wallets", visit.path["id"]))["wallet"]
    return wallet


def top_up(visit: Visit) -> Page | Redirect:
    """Purchase and grant credits."""
    wallet = _record(visit)
    form = forms.posted(visit)
    if visit.method == "GET":
        required = wallet.invoice_requires_successful_payment
        form = forms.filled({"priority": 50, "invoice_requires_successful_payment": required})
    elif not forms.asked_rows(visit, form, {"metadata": pairs.BLANK}):
        body = {
            "name": form.value("name") or None,
            "priority": form.value("priority") or None,
            "metadata": pairs.read(form, "metadata"),
            "paid_credits": form.value("paid_credits"),
            "granted_credits": form.value("granted_credits"),
            "invoice_requires_successful_payment": form.is_on("invoice_requires_successful_payment"),
            "ignore_paid_top_up_limits": form.is_on("ignore_paid_top_up_limits"),
        }
        if not (body["paid_credits"] or body["granted_credits"]):
            form.mark("paid_credits", ErrorCode.VALUE_IS_MANDATORY)
        elif _moved(visit, wallet, form, {name: value for name, value in body.items() if value is not None}):
            said = "Granted credits count at once, purchased ones when their invoice is paid"
            return Redirect(
                visit.link("wallets", wallet.id), said=said if body["paid_credits"] else "Added the credits"
            )
    return _dialog(visit, "wallets/top_up.html", wallet, form)


def void(visit: Visit) -> Page | Redirect:
    """Take credits off."""
    wallet = _record(visit)
    form = forms.posted(visit)
    if visit.method == "POST" and not forms.asked_rows(visit, form, {"metadata": pairs.BLANK}):
        body = {
            "voided_credits": form.value("voided_credits"),
            "name": form.value("name") or None,
            "metadata": pairs.read(form, "metadata"),
        }
        if not body["voided_credits"]:
            form.mark("voided_credits", ErrorCode.VALUE_IS_MANDATORY)
        elif _moved(visit, wallet, form, body):
            return Redirect(visit.link("wallets", wallet.id), said="Voided the credits")
    return _dialog(visit, "wallets/void.html", wallet, form)


def terminate(visit: Visit) -> Page | Redirect:
    """End a wallet; one with a balance is named first."""
    wallet = _record(visit)
    form = forms.posted(visit)
    if visit.method == "POST":
        if wallet.status == "active" and wallet.balance_cents and form.value("confirmation").strip() != wallet.code:
            form.mark("confirmation", texts.CONFIRMATION_DOES_NOT_MATCH)
        elif forms.submit(form, lambda: visit.api.delete(path_of("wallets", wallet.id))) is not None:
            return Redirect(visit.link("wallets", wallet.id), said=f"Terminated {wallet.name or wallet.code}")
    return _dialog(visit, "wallets/terminate.html", wallet, form)


def _moved(visit: Visit, wallet: Wallet, form: Form, body: dict[str, Any]) -> bool:
    """Whether a top-up was done: what `POST /wallet_transactions` does, and a second click does not do again."""
    organization = visit.organization.ref

    def act() -> bool:
        visit.api.check_may_change()
        values = {**body, "wallet_id": wallet.id}
        top_ups.top_up(organization, values, now=visit.now, mark=forms.request_id(visit))
        sandbox.run_due(organization, now=visit.now)
        return True

    return bool(forms.submit(form, act, names={"wallet_id": ""}))


def _record(visit: Visit) -> Wallet:
    """The wallet of the address, of any status.

    Raises: NotFound.
    """
    return reading.find(visit.organization.id, WalletId(visit.path["id"]))


def _dialog(visit: Visit, template: str, wallet: Wallet, form: Form) -> Page:
    values = {
        "wallet": wallet,
        "form": form,
        "worth": wallet_forms.worth(str(wallet.rate), wallet.currency),
        "most": limits.WALLET_TRANSACTION_PAIRS_MAX,
        **wallet_forms.holder(visit, wallet.customer_id),
    }
    return Page(template, values, form.status)
