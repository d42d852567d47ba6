"""Checkout for people who try the fake of Stripe by hand."""

from collections.abc import Iterable

from tests.support.providers.frame import Answer, Asked, Problem
from tests.support.providers.pages import back, choice, form_page, said
from tests.support.providers.stripe_account import Account
from tests.support.providers.stripe_calls import complete

CHOICES = {
    "4242424242424242": "4242 4242 4242 4242: pays",
    "4000000000000341": "4000 0000 0000 0341: can be left, then is declined",
    "4000000000009995": "4000 0000 0000 9995: insufficient funds",
    "4000000000000069": "4000 0000 0000 0069: expired",
    "4000002760003184": "4000 0027 6000 3184: wants 3-D Secure",
    "4000000000000259": "4000 0000 0000 0259: pays, then contests it",
    "DE89370400440532013000": "DE89 3704 0044 0532 0130 00: debit that is paid",
    "DE62370400440532013001": "DE62 3704 0044 0532 0130 01: debit that comes back",
}


def page(accounts: Iterable[Account], asked: Asked) -> Answer:
    """A Checkout page, and what happens on it."""
    session_id = asked.path.rsplit("/", 1)[1]
    found = next((each for each in accounts if session_id in each.objects), None)
    session = found.objects[session_id] if found else None
    if found is None or session is None or session["status"] != "open":
        return said("There is no such page, or it is not open any more.", 404)
    if asked.method != "POST":
        about = (
            "Leave a way to pay." if session["mode"] == "setup" else f"{session['amount_total']} {session['currency']}"
        )
        return form_page("Checkout (a fake)", about, "Card or account", CHOICES)
    try:
        complete(found, session_id, choice(asked))
    except Problem as problem:
        return said(problem.answer.body["error"]["message"], 402)
    return back(session["success_url"])
