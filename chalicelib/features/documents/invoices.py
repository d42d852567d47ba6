"""Invoices as pages. Source: rules/invoices 12."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import total
from chalicelib.features.documents import lines, shares
from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.letters import isolated
from chalicelib.features.documents.page import Line, Look, Page, Sum, Table, metadata, tax_sums
from chalicelib.features.documents.words import TAX_INVOICE_COUNTRIES


def page(invoice: Mapping[str, Any], look: Look, *, wallet: str | None = None) -> Page:
    """The page of an invoice as the API shows it. `wallet`: the name of the one whose credits it sold."""
    show = look.formats(invoice["currency"])
    tables = _tables(invoice, look, show, wallet)
    spread = replace(_bare(invoice, look, show), table=_summary(tables, look.words), details=tables)
    if len(tables) != 1:
        return spread
    return replace(spread, table=_alone(tables[0], invoice, wallet), details=(), spread=spread)


def _bare(invoice: Mapping[str, Any], look: Look, show: Formats) -> Page:
    """The page without its lines."""
    words, customer = look.words, invoice["customer"]
    payable = (
        bool(invoice["total_amount_cents"])
        and invoice["status"] == "finalized"
        and invoice["payment_status"] != "succeeded"
    )
    return Page(
        locale=look.locale,
        title=words[_title(invoice, look)],
        number=invoice["number"],
        sender=look.sender,
        mark=words.get(invoice["status"], "") if invoice["status"] in ("draft", "voided") else "",
        facts=[
            (words["invoice_number"], invoice["number"]),
            (words["issue_date"], show.day(invoice["issuing_date"])),
            (words["payment_term"], _term(invoice["net_payment_term"], words)),
            (words["due_date"], show.day(invoice["payment_due_date"])),
            *metadata(customer),
        ],
        parties=look.parties(customer, show),
        amount=show.cents(invoice["total_amount_cents"]),
        amount_note=_state(invoice, words, show),
        table=Table((), (), ()),
        sums=_sums(invoice, look, show),
        note=look.organization["billing_configuration"]["invoice_footer"] or "",
        blocks=[(each["display_name"], each["details"]) for each in invoice["applied_invoice_custom_sections"]],
        payment_url=look.payment_url if payable else None,
        payment_label=words["pay_online"],
        page_of=words["page_of"],
        logo=look.logo,
    )


def _state(invoice: Mapping[str, Any], words: Mapping[str, str], show: Formats) -> str:
    """Until when the amount is to be paid, or why it is not."""
    if invoice["status"] == "voided":
        zone = invoice["customer"]["applicable_timezone"]
        return words["voided_on"].format(date=show.local_day(invoice["voided_at"], zone))
    if not invoice["total_amount_cents"]:
        return words["nothing_due"]
    return words["due_on"].format(date=show.day(invoice["payment_due_date"]))


def _term(days: int, words: Mapping[str, str]) -> str:
    if days == 0:
        return words["on_receipt"]
    return words["one_day"] if days == 1 else words["days"].format(number=days)


def _title(invoice: Mapping[str, Any], look: Look) -> str:
    if invoice["invoice_type"] == "credit":
        return "advance_invoice"
    return "tax_invoice" if look.organization["country"] in TAX_INVOICE_COUNTRIES else "invoice"


def _tables(invoice: Mapping[str, Any], look: Look, show: Formats, wallet: str | None) -> list[Table]:
    """One table for each subscription with fees that are worth a row, and a last one of all other fees."""
    words = look.words
    fees = [fee for fee in invoice["fees"] if lines.worth_a_line(fee)]
    periods = {period["lago_subscription_id"]: period for period in invoice["billing_periods"]}
    found: list[tuple[Sequence[Mapping[str, Any]], str, str]] = []
    taken = set()
    for subscription in invoice["subscriptions"]:
        own = [fee for fee in fees if fee["lago_subscription_id"] == subscription["lago_id"]]
        taken |= {fee["lago_id"] for fee in own}
        kind = words[look.intervals.get(subscription["lago_id"], "subscription")]
        name = subscription["name"] or _plan_name(own) or subscription["plan_code"]
        period = periods.get(subscription["lago_id"])
        found.append((own, f"{kind} – {isolated(name)}", _period(period, invoice, show)))
    rest = [fee for fee in fees if fee["lago_id"] not in taken]
    if rest:
        heading = words["prepaid_credits"] if invoice["invoice_type"] == "credit" else words["fees"]
        found.append((rest, wallet or heading, ""))
    fees_of = [own for own, _, _ in found]
    taken_off = zip(_coupons(invoice, fees_of), _taxes(invoice, fees_of, show), strict=True)
    return [_table(invoice, each, look, show, *cents) for each, cents in zip(found, taken_off, strict=True)]


def _coupons(invoice: Mapping[str, Any], tables: Sequence[Sequence[Mapping[str, Any]]]) -> list[int]:
    """Discounts of coupons on each table's fees before tax, in minor units, which add up to all of their discount."""
    if not _is_before_taxes(invoice):
        return [0 for _ in tables]
    exact = [total(Decimal(fee["precise_coupons_amount_cents"]) for fee in fees) for fees in tables]
    return shares.whole(exact, invoice["coupons_amount_cents"])


def _is_before_taxes(invoice: Mapping[str, Any]) -> bool:
    return any(credit["before_taxes"] for credit in invoice["credits"])


def _taxes(invoice: Mapping[str, Any], tables: Sequence[Sequence[Mapping[str, Any]]], show: Formats) -> list[int]:
    """The tax of each table's fees in minor units, which add up to the tax of the invoice."""
    exact = [total(show.exact_cents(Decimal(fee["taxes_precise_amount"])) for fee in fees) for fees in tables]
    whole = invoice["sub_total_including_taxes_amount_cents"] - invoice["sub_total_excluding_taxes_amount_cents"]
    return shares.whole(exact, whole)


def _table(
    invoice: Mapping[str, Any],
    content: tuple[Sequence[Mapping[str, Any]], str, str],
    look: Look,
    show: Formats,
    coupons_cents: int,
    tax_cents: int,
) -> Table:
    """The table of fees, with its heading and its period. What coupons take off before tax stands above the subtotal."""
    fees, heading, subheading = content
    words, taxed = look.words, invoice["invoice_type"] != "credit"
    fees_cents = sum(fee["amount_cents"] for fee in fees)
    net = fees_cents - coupons_cents
    zone = invoice["customer"]["applicable_timezone"]
    return Table(
        columns=lines.columns(words, taxed=taxed),
        widths=lines.widths(taxed=taxed),
        lines=lines.lines(fees, words, show, zone, period=subheading, taxed=taxed),
        heading=heading,
        subheading=subheading,
        net=show.cents(fees_cents),
        totals=[
            *([(words["coupon_adjustment"], show.taken(coupons_cents))] if coupons_cents else []),
            (words["subtotal_excl"], show.cents(net)),
            (words["tax"], show.cents(tax_cents)),
            (words["total"], show.cents(net + tax_cents)),
        ],
    )


def _alone(table: Table, invoice: Mapping[str, Any], wallet: str | None) -> Table:
    """The only table of an invoice; what is of no subscription and no named wallet needs no heading then."""
    return table if invoice["subscriptions"] or wallet else replace(table, heading="")


def _plan_name(fees: Sequence[Mapping[str, Any]]) -> str | None:
    return next((str(f["item"]["invoice_display_name"]) for f in fees if f["item"]["type"] == "subscription"), None)


def _period(period: Mapping[str, Any] | None, invoice: Mapping[str, Any], show: Formats) -> str:
    """The period of the usage, or where there is none that of the subscription."""
    if period is None:
        return ""
    kind = "charges" if period["charges_from_datetime"] else "subscription"
    zone = invoice["customer"]["applicable_timezone"]
    return show.days(period[f"{kind}_from_datetime"], period[f"{kind}_to_datetime"], zone)


def _summary(tables: Sequence[Table], words: Mapping[str, str]) -> Table:
    rows = [Line(each.heading, (each.net,), [each.subheading] if each.subheading else []) for each in tables]
    return Table(columns=(words["summary"], words["amount"]), widths=(40,), lines=rows)


def _sums(invoice: Mapping[str, Any], look: Look, show: Formats) -> list[Sum]:
    """The totals, in the order of computation. Source: rules/invoices 3."""
    words = look.words
    due = Sum(words["total_due"], show.cents(invoice["total_amount_cents"]), grand=True)
    if invoice["invoice_type"] == "credit":
        return [due]
    coupons = _taken(invoice, "coupon", words["coupon"], "name", "coupons_amount_cents", show)
    before = _is_before_taxes(invoice)
    prepaid = invoice["prepaid_credit_amount_cents"]
    net, gross = invoice["sub_total_excluding_taxes_amount_cents"], invoice["sub_total_including_taxes_amount_cents"]
    return [
        *(coupons if before else []),
        Sum(words["subtotal_excl"], show.cents(net)),
        *tax_sums(look, show, invoice["applied_taxes"], "fees_amount_cents", gross - net),
        Sum(words["subtotal_incl"], show.cents(gross)),
        *_taken(invoice, "credit_note", words["credit_note"], "code", "credit_notes_amount_cents", show),
        *([] if before else coupons),
        *([Sum(words["prepaid_credits"], show.taken(prepaid))] if prepaid else []),
        due,
    ]


def _taken(invoice: Mapping[str, Any], kind: str, word: str, name: str, whole: str, show: Formats) -> list[Sum]:
    """The amounts taken off, each with its name; one row where the parts are not known."""
    own = [credit for credit in invoice["credits"] if credit["item"]["type"] == kind and credit["amount_cents"]]
    if sum(credit["amount_cents"] for credit in own) != invoice[whole]:
        return [Sum(word, show.taken(invoice[whole]))]
    return [Sum(f"{word} – {isolated(credit['item'][name])}", show.taken(credit["amount_cents"])) for credit in own]
