"""A story's invoices as stories compare them. Each one is read whole once it is final, not again."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.story import Story

Range = tuple[str | None, str | None]


@dataclass
class Books:
    """Invoices of a story so far."""

    story: Story
    final: dict[str, Any] = field(default_factory=dict)

    def invoices(self, customer: str | None = None) -> list[Any]:
        """All invoices, or a customer's, oldest first, each with its fees."""
        query = "" if customer is None else f"&external_customer_id={customer}"
        found = self.story.ok("GET", f"/invoices?per_page=1000{query}")["invoices"]
        return sorted(
            map(self._whole, found), key=lambda invoice: (invoice["created_at"], invoice["sequential_id"] or 0)
        )

    def last(self, customer: str) -> Any:
        """A customer's latest invoice."""
        return self.invoices(customer)[-1]

    def by_customer(self) -> dict[str, list[tuple[str, list[tuple[str, int]]]]]:
        """Each customer's invoices, oldest first: the local day, and what each fee is for with its cents."""
        found: dict[str, list[tuple[str, list[tuple[str, int]]]]] = {}
        for invoice in self.invoices():
            shown = [(fee["item"]["type"], fee["amount_cents"]) for fee in invoice["fees"]]
            found.setdefault(invoice["customer"]["external_id"], []).append((invoice["issuing_date"], shown))
        return found

    def _whole(self, summary: Any) -> Any:
        found = self.final.get(summary["lago_id"])
        if found is None:
            found = self.story.ok("GET", f"/invoices/{summary['lago_id']}")["invoice"]
            if found["status"] != "draft":
                self.final[found["lago_id"]] = found
        return found


def ranges(row: Any) -> list[Range]:
    """The ranges of a row of an invoice: of its subscription, its usage and its fixed charges."""
    kinds = ("subscription", "charges", "fixed_charges")
    return [(row[f"{kind}_from_datetime"], row[f"{kind}_to_datetime"]) for kind in kinds]


def range_of(fee: Any) -> Range:
    """The range of a fee."""
    return fee["from_date"], fee["to_date"]
