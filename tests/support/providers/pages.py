"""Pages of the fakes for people who try them by hand: a form, a button, and back."""

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl

from tests.support.providers.frame import Answer, Asked


def form_page(title: str, about: str, field: str, choices: Mapping[str, str]) -> Answer:
    """A page with one choice to be made."""
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in choices.items())
    return Answer(
        200,
        f"<!doctype html><html lang=en><title>{escape(title)}</title><h1>{escape(title)}</h1><p>{escape(about)}</p>"
        f"<form method=post><label>{escape(field)} <select name=choice>{options}</select></label> "
        "<button>Go on</button></form></html>",
    )


def choice(asked: Asked) -> str:
    """What was chosen."""
    return dict(parse_qsl(asked.body.decode())).get("choice", "")


def back(url: str) -> Answer:
    """Back to where the customer came from."""
    return Answer(303, "", {"Location": url})


def said(text: str, status: int = 200) -> Answer:
    """A page that says one thing."""
    return Answer(status, f"<!doctype html><html lang=en><title>{escape(text)}</title><p>{escape(text)}</p></html>")
