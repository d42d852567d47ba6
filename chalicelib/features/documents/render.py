"""An invoice as HTML and as PDF: pure, without storage or network.

WeasyPrint takes a second to import and needs native libraries, so only the function that draws imports it.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from chalicelib.domain.money import exponent, from_cents
from chalicelib.features.documents.labels import LOCALES, TAX_INVOICE_COUNTRIES, labels

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """Content of a document: the invoice and the organization in the API's form, the language, and a logo (PNG or
    JPG)."""

    invoice: Mapping[str, Any]
    organization: Mapping[str, Any]
    locale: str = "en"
    logo: bytes | None = None


class NoNetwork(Exception):
    """A document wanted something from outside; it may only use what it carries."""


def invoice_pdf(document: InvoiceDocument) -> bytes:
    """The document as a PDF file."""
    import weasyprint

    html = weasyprint.HTML(string=invoice_html(document), url_fetcher=_only_inline)
    return bytes(html.write_pdf())


def invoice_html(document: InvoiceDocument) -> str:
    """The document as one HTML page with its styles inside."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("invoice.html.j2").render(**_context(document))


def _context(document: InvoiceDocument) -> dict[str, Any]:
    invoice, organization = document.invoice, document.organization
    words = labels(document.locale)
    show = _Formats(document.locale, str(invoice["currency"]))
    return {
        "t": words,
        "lang": document.locale,
        "css": (_TEMPLATES / "invoice.css").read_text(),
        "title": _title(invoice, organization, words),
        "invoice": invoice,
        "organization": organization,
        "customer": invoice["customer"],
        "displayed": [pair for pair in invoice["customer"]["metadata"] if pair["display_in_invoice"]],
        "sections": _sections(invoice, words),
        "logo": _data_url(document.logo),
        "show": show,
        "css_string": _css_string,
    }


def _css_string(text: str) -> str:
    """A text as a CSS string: every character that could end it, or the style element, as its number."""
    plain = "".join(c if c.isalnum() or c in " -_./" else f"\\{ord(c):x} " for c in text)
    return f'"{plain}"'


def _title(invoice: Mapping[str, Any], organization: Mapping[str, Any], words: Mapping[str, str]) -> str:
    if invoice["invoice_type"] == "credit":
        return words["advance_invoice"]
    if organization.get("country") in TAX_INVOICE_COUNTRIES:
        return words["tax_invoice"]
    return words["invoice"]


def _sections(invoice: Mapping[str, Any], words: Mapping[str, str]) -> list[dict[str, Any]]:
    """One section per subscription, with the fees that are worth a line, and a last one for all other fees."""
    fees: Sequence[Mapping[str, Any]] = [f for f in invoice["fees"] if _worth_a_line(f)]
    sections: list[dict[str, Any]] = []
    taken: set[str] = set()
    periods = {period["lago_subscription_id"]: period for period in invoice["billing_periods"]}
    for subscription in invoice["subscriptions"]:
        own = [fee for fee in fees if fee["lago_subscription_id"] == subscription["lago_id"]]
        taken |= {fee["lago_id"] for fee in own}
        sections.append(
            {
                "name": subscription["name"] or _plan_name(own) or subscription["plan_code"],
                "kind": words["subscription"],
                "period": periods.get(subscription["lago_id"]),
                "fees": own,
                "subtotal": sum(fee["amount_cents"] for fee in own),
            }
        )
    rest = [fee for fee in fees if fee["lago_id"] not in taken]
    if rest:
        total = sum(fee["amount_cents"] for fee in rest)
        sections.append({"name": words["fees"], "kind": "", "period": None, "fees": rest, "subtotal": total})
    return sections


def _plan_name(fees: Sequence[Mapping[str, Any]]) -> str | None:
    return next((str(f["item"]["invoice_display_name"]) for f in fees if f["item"]["type"] == "subscription"), None)


def _worth_a_line(fee: Mapping[str, Any]) -> bool:
    return bool(fee["amount_cents"]) or Decimal(fee["units"]) != 0


def _data_url(logo: bytes | None) -> str | None:
    if logo is None:
        return None
    kind = "png" if logo.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(logo).decode()}"


def _only_inline(url: str, *args: Any, **options: Any) -> Any:
    if not url.startswith("data:"):
        raise NoNetwork(url)
    from weasyprint import default_url_fetcher

    return default_url_fetcher(url, *args, **options)


class _Formats:
    """Amounts, numbers and dates in a language."""

    def __init__(self, locale: str, currency: str) -> None:
        self._locale = LOCALES.get(locale, locale)
        self._currency = currency

    def cents(self, cents: int) -> str:
        """An amount in minor units."""
        from babel.numbers import format_currency

        amount = from_cents(Decimal(cents), self._currency)
        return str(format_currency(amount, self._currency, locale=self._locale, currency_digits=True))

    def price(self, amount: str) -> str:
        """A price in currency units with all its decimals, at least as many as the currency has."""
        digits = max(exponent(self._currency), -int(Decimal(amount).normalize().as_tuple().exponent or 0))
        from babel.numbers import format_currency

        pattern = "¤#,##0." + "0" * digits if digits else "¤#,##0"
        return str(
            format_currency(Decimal(amount), self._currency, format=pattern, locale=self._locale, currency_digits=False)
        )

    def number(self, text: str | int | float | Decimal) -> str:
        """A quantity or rate, no digit lost."""
        from babel.numbers import format_decimal

        number = Decimal(str(text))
        digits = max(0, -int(number.normalize().as_tuple().exponent or 0))
        return str(format_decimal(number, format="#,##0." + "0" * digits if digits else "#,##0", locale=self._locale))

    def day(self, text: str) -> str:
        """A date, or the date of an instant."""
        from babel.dates import format_date

        return str(format_date(date.fromisoformat(text[:10]), format="medium", locale=self._locale))

    def local_day(self, text: str, timezone: str) -> str:
        """The day of an instant in a customer's zone."""
        from zoneinfo import ZoneInfo

        return self.day(datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)).date().isoformat())
