"""The parts that every kind of document is made of: all texts, ready to be set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chalicelib.features.documents.formats import Formats
from chalicelib.features.documents.letters import isolated
from chalicelib.features.documents.words import tax_id, words


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two parties: the name, and lines below it."""

    heading: str
    name: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: a title with notes below it, and the texts of the other columns. `detail`: belongs to the row
    above."""

    title: str
    cells: Sequence[str]
    notes: Sequence[str] = ()
    detail: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column heads. `totals`: the last rows, which never stand alone on a page; `net`: the sum of the lines;
    `widths`: of the columns after the first, in millimetres, where their texts need no more."""

    columns: Sequence[str]
    widths: Sequence[int]
    lines: Sequence[Line]
    heading: str = ""
    subheading: str = ""
    totals: Sequence[tuple[str, str]] = ()
    net: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """One row of the totals; `grand`: the result."""

    label: str
    amount: str
    grand: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A document. `details`: tables that begin on a page of their own; `spread`: the same document with its table among
    them and a summary in its place, for where one page has no room for all; `mark`: a state to be seen at once; `blocks`:
    headings and texts below the totals, as of a bank account."""

    locale: str
    title: str
    number: str
    sender: str
    facts: Sequence[tuple[str, str]]
    parties: Sequence[Party]
    amount: str
    amount_note: str
    table: Table
    sums: Sequence[Sum]
    details: Sequence[Table] = ()
    spread: "Page | None" = None
    note: str = ""
    mark: str = ""
    blocks: Sequence[tuple[str, str]] = ()
    payment_url: str | None = None
    payment_label: str = ""
    page_of: str = ""
    logo: bytes | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Everything of a document that is not its object: the organization as the API has it, the language, the logo
    (PNG or JPEG), a link to pay at, and the intervals of subscriptions by their ids."""

    organization: Mapping[str, Any]
    locale: str = "en"
    logo: bytes | None = None
    payment_url: str | None = None
    intervals: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> Mapping[str, str]:
        """The words of the language."""
        return words(self.locale)

    def formats(self, currency: str) -> Formats:
        """Formats of the language."""
        return Formats(self.locale, currency)

    @property
    def sender(self) -> str:
        """The name of who sends the document."""
        return str(self.organization["legal_name"] or self.organization["name"])

    def parties(self, customer: Mapping[str, Any], show: Formats, *, heading: str = "to") -> tuple[Party, Party]:
        """The organization and its customer."""
        name = customer["legal_name"] or customer["name"] or customer["external_id"]
        return (
            Party(self.words["from"], self.sender, self._lines(self.organization, show)),
            Party(self.words[heading], str(name), self._lines(customer, show)),
        )

    def _lines(self, party: Mapping[str, Any], show: Formats) -> list[str]:
        numbers = [
            self.words["labelled"].format(label=label, value=isolated(party[name]))
            for label, name in (
                (self.words["legal_number"], "legal_number"),
                (tax_id(self.locale, party.get("country")), "tax_identification_number"),
            )
            if party.get(name)
        ]
        return [*show.address(party), *([party["email"]] if party.get("email") else []), *numbers]


def metadata(customer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of a customer's metadata that documents show."""
    return [(pair["key"], pair["value"]) for pair in customer.get("metadata", []) if pair["display_in_invoice"]]


def tax_sums(look: Look, show: Formats, taxes: Sequence[Mapping[str, Any]], base: str, total_cents: int) -> list[Sum]:
    """One row for each tax, or one that says there is none. `base`: the field of what a tax is on. Where the rows miss the
    total, one more says by how much. Source: rules/money 5, row 29."""
    if not taxes:
        return [Sum(f"{look.words['tax']} ({show.rate(0)})", show.cents(0))]
    missing = total_cents - sum(tax["amount_cents"] for tax in taxes)
    rows = [
        Sum(
            look.words["tax_on"].format(
                name=isolated(tax["tax_name"]), rate=show.rate(tax["tax_rate"]), amount=show.cents(tax[base])
            ),
            show.cents(tax["amount_cents"]),
        )
        for tax in taxes
    ]
    return [*rows, Sum(look.words["rounding"], show.cents(missing))] if missing else rows
