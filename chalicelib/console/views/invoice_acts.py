"""Acts on invoices. GET shows the act's form or what it would do; POST does it by the API."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from chalicelib.console import format, forms, texts
from chalicelib.console.forms import Form
from chalicelib.console.views import invoices
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.invoices import reading
from chalicelib.features.payments import service as payments
from chalicelib.features.sandbox import service as sandbox
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import PaymentId, derived_id

_Shown = Mapping[str, Any]


def finalize(visit: Visit) -> Page | Redirect:
    """Make a draft final now."""
    text = (
        "It is computed once more, with all events of its period so far. Then it gets its number, coupons and credits \
are applied, and its amounts stay as they are."
    )
    return _confirmed(
        visit,
        lambda: visit.api.put(_path(visit, "finalize")),
        lambda shown: {
            "heading": f"Finalize {shown['number']} now",
            "text": f"{text} So far it comes to {_total(shown)}.",
            "submit": "Finalize now",
        },
        "Finalized",
    )


def refresh(visit: Visit) -> Redirect:
    """Compute a draft again."""
    visit.api.put(_path(visit, "refresh"))
    return Redirect(_back(visit), said="Refreshed")


def delete(visit: Visit) -> Page | Redirect:
    """Delete a draft."""
    text = "It leaves all lists, and its period is not billed again. There is no undo."
    return _confirmed(
        visit,
        lambda: visit.api.delete(_path(visit)),
        lambda shown: {
            "heading": f"Delete draft {shown['number']}",
            "text": f"The draft of {_total(shown)} is gone for good. {text}",
            "submit": "Delete draft",
            "danger": True,
        },
        "Deleted the draft",
        is_gone=True,
    )


def lose_dispute(visit: Visit) -> Page | Redirect:
    """Keep that the dispute of its payment was lost."""
    text = "No payment is awaited any more: the invoice is not overdue, and stays in your books as it is. There is no undo."
    return _confirmed(
        visit,
        lambda: visit.api.post(_path(visit, "lose_dispute")),
        lambda shown: {
            "heading": f"Record a lost dispute of {shown['number']}",
            "text": text,
            "submit": "Record a lost dispute",
            "danger": True,
        },
        "Recorded the lost dispute",
    )


def retry(visit: Visit) -> Page | Redirect:
    """Issue an invoice again that failed."""
    return _confirmed(
        visit,
        lambda: visit.api.post(_path(visit, "retry")),
        lambda shown: {
            "heading": f"Issue {shown['number']} again",
            "text": "Its issue failed. It is tried again.",
            "submit": "Issue again",
        },
        "Issued again",
    )


def retry_payment(visit: Visit) -> Page | Redirect:
    """Ask for the money again."""

    def text(shown: _Shown) -> str:
        provider = shown["customer"]["billing_configuration"]["payment_provider"]
        if provider is None:
            return "Its messages are sent to your webhook endpoints again, from which payments are collected."
        by = f"It is collected by {texts.label(provider)} once more"
        return f"{by}, and its messages are sent to your webhook endpoints again."

    return _confirmed(
        visit,
        lambda: visit.api.post(_path(visit, "retry_payment")),
        lambda shown: {
            "heading": f"Resend {shown['number']} for collection",
            "text": f"{format.money(shown['total_due_amount_cents'], shown['currency'])} is due. {text(shown)}",
            "submit": "Resend for collection",
        },
        "Resent for collection",
    )


def void(visit: Visit) -> Page | Redirect:
    """Void a final invoice: give back what it took, or credit and refund it."""
    reading.read_ahead(visit.organization.id, invoices.found(visit))
    shown = invoices.whole(visit)
    if visit.method == "GET":
        form = forms.filled({"generate_credit_note": False, "credit_amount": "", "refund_amount": ""})
        return Page("invoices/void.html", {"invoice": shown, "form": form})
    form = forms.posted(visit)
    body: dict[str, Any] = {"generate_credit_note": form.is_on("generate_credit_note")}
    for name in ("credit_amount", "refund_amount"):
        if body["generate_credit_note"] and form.value(name):
            body[name] = _cents(form, name, shown["currency"])
    names = {"credit_refund_amount": "credit_amount"}
    if form.errors or forms.submit(form, lambda: visit.api.post(_path(visit, "void"), body), names=names) is None:
        return Page("invoices/void.html", {"invoice": shown, "form": form}, form.status)
    return Redirect(_back(visit), said=f"Voided {shown['number']}")


def payment_status(visit: Visit) -> Page | Redirect:
    """Set the payment status by hand."""
    shown = invoices.summary(visit, invoices.found(visit))
    form = forms.filled(shown) if visit.method == "GET" else forms.posted(visit)
    if visit.method == "POST":
        body = {"invoice": {"payment_status": form.value("payment_status")}}
        if forms.submit(form, lambda: visit.api.put(_path(visit), body)) is not None:
            return Redirect(
                _back(visit), said=f"{shown['number']}: {texts.label(form.value('payment_status')).lower()}"
            )
    return Page("invoices/payment_status.html", {"invoice": shown, "form": form}, form.status)


def record_payment(visit: Visit) -> Page | Redirect:
    """Record a payment that was made elsewhere."""
    shown = invoices.summary(visit, invoices.found(visit))
    if visit.method == "GET":
        amount = format.as_typed(shown["total_due_amount_cents"], shown["currency"])
        form = forms.filled({"amount_cents": amount, "reference": "", "paid_at": ""})
        return Page("invoices/payment.html", {"invoice": shown, "form": form})
    form = forms.posted(visit)
    body: dict[str, Any] = {
        "invoice_id": shown["lago_id"],
        "amount_cents": _cents(form, "amount_cents", shown["currency"]),
        "reference": form.value("reference") or None,
        "paid_at": form.value("paid_at") or None,
    }
    if not form.errors and forms.submit(form, lambda: _record(visit, body)) is not None:
        return Redirect(_back(visit), said="Recorded the payment")
    return Page("invoices/payment.html", {"invoice": shown, "form": form}, form.status)


def _record(visit: Visit, body: Mapping[str, Any]) -> PaymentId:
    """The answer of `POST /payments`, under an id that a second click has as well."""
    organization, mark = visit.api.organization, forms.request_id(visit)
    payment_id = PaymentId(derived_id("payment", organization.id, mark)) if mark else None
    visit.api.check_may_change()
    payment, tasks = payments.record(organization, body, now=visit.now, payment_id=payment_id)
    sandbox.run_due(organization, now=visit.now, tasks=tasks)
    return PaymentId(payment.id)


def metadata(visit: Visit) -> Page | Redirect:
    """Change the pairs that the API shows and documents do not."""
    shown = invoices.summary(visit, invoices.found(visit))
    if visit.method == "GET":
        pairs = [{"id": each["lago_id"], "key": each["key"], "value": each["value"]} for each in shown["metadata"]]
        return Page("invoices/metadata.html", {"invoice": shown, "form": forms.filled({"metadata": pairs})})
    form = forms.posted(visit)
    if not forms.asked_rows(visit, form, {"metadata": {"key": "", "value": ""}}):
        given = forms.nested({name: value for name, value in form.values.items() if "." in name}).get("metadata", [])
        pairs = [{name: pair[name] for name in ("id", "key", "value") if pair.get(name)} for pair in given]
        body = {"invoice": {"metadata": pairs}}
        if forms.submit(form, lambda: visit.api.put(_path(visit), body)) is not None:
            return Redirect(_back(visit), said="Saved")
    return Page("invoices/metadata.html", {"invoice": shown, "form": form}, form.status)


def _confirmed(
    visit: Visit,
    act: Callable[[], Any],
    words: Callable[[_Shown], Mapping[str, Any]],
    said: str,
    *,
    is_gone: bool = False,
) -> Page | Redirect:
    """The confirmation of an act, and the act. `words`: what the page says of an invoice; `is_gone`: it has no page then."""
    shown = invoices.summary(visit, invoices.found(visit))
    form = Form()
    if visit.method == "POST" and _is_done(form, act):
        back = _back(visit)
        is_lost = is_gone and back.startswith(_address(visit))
        return Redirect(visit.link("invoices") if is_lost else back, said=said)
    values = {"invoice": shown, "form": form, "danger": False, **words(shown)}
    return Page("invoices/confirm.html", values, form.status)


def _is_done(form: Form, act: Callable[[], Any]) -> bool:
    """Whether the act was not refused; some answer nothing."""
    return bool(forms.submit(form, lambda: (act(), True)[1]))


def _cents(form: Form, name: str, currency: str) -> int | None:
    cents = format.as_minor(form.value(name), currency)
    if cents is None:
        form.mark(name, ErrorCode.INVALID_AMOUNT if form.value(name) else ErrorCode.VALUE_IS_MANDATORY)
    return cents


def _path(visit: Visit, *act: str) -> str:
    return path_of("invoices", visit.path["id"], *act)


def _address(visit: Visit) -> str:
    return visit.link("invoices", visit.path["id"])


def _back(visit: Visit) -> str:
    """The page of this organization above which the act's dialog was opened, or that of the invoice."""
    page = urlsplit(visit.headers.get("hx-current-url") or "")
    if not visit.is_htmx or not page.path.startswith(f"{visit.link()}/") or page.path == visit.here:
        return _address(visit)
    return page.path + (f"?{page.query}" if page.query else "")


def _total(shown: _Shown) -> str:
    return format.money(shown["total_amount_cents"], shown["currency"])
