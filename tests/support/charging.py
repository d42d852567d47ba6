"""The vocabulary of stories about usage: charges as requests have them, batches of events, fees by what they are
for."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain.money import total
from tests.support.story import Story

ALL = "__ALL_FILTER_VALUES__"
_BATCH = 100
_numbers = itertools.count(1)


def ts(text: str) -> float:
    """Unix seconds of `2024-01-15` or `2024-01-15T12:00:00`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def priced(
    metric: Mapping[str, Any], model: str = "standard", properties: Mapping[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    """A charge: 1.00 per unit where nothing else is said."""
    own = {"amount": "1"} if properties is None else properties
    return {"billable_metric_id": metric["lago_id"], "charge_model": model, "properties": own, **fields}


def tiers(*rows: tuple[int, int | None, str, str], price: str = "per_unit_amount") -> list[dict[str, Any]]:
    """Ranges of a tiered model: (from, to, price, flat)."""
    return [{"from_value": low, "to_value": top, price: amount, "flat_amount": flat} for low, top, amount, flat in rows]


def use_many(story: Story, events: Iterable[Mapping[str, Any]]) -> None:
    """Send events in batches. Each has `code`, `at` (text), and maybe `sub`, `id`, `cents`; what is left is
    properties."""
    bodies = [_body(dict(event)) for event in events]
    for n in range(math.ceil(len(bodies) / _BATCH)):
        story.ok("POST", "/events/batch", {"events": bodies[n * _BATCH : (n + 1) * _BATCH]})


def _body(event: dict[str, Any]) -> dict[str, Any]:
    at, cents = event.pop("at"), event.pop("cents", None)
    return {
        "transaction_id": event.pop("id", None) or f"many-{next(_numbers)}",
        "external_subscription_id": event.pop("sub", "sub"),
        "code": event.pop("code"),
        "timestamp": ts(at) if isinstance(at, str) else at,
        "precise_total_amount_cents": cents,
        "properties": event,
    }


@dataclass
class Case:
    """A metric of its own (named by `code`) on a charge of its own. `events`: (day of 2024, properties). `expected`:
    units, number of events and cents of its fee, period by period."""

    code: str
    kind: str
    events: list[tuple[str, dict[str, Any]]]
    expected: list[tuple[str, int, int]]
    metric: dict[str, Any] = field(default_factory=dict)
    charge: dict[str, Any] = field(default_factory=dict)

    def set_up(self, story: Story) -> dict[str, Any]:
        """Make the metric; the charge."""
        own = {"field_name": "v"} | self.metric if self.kind != "count_agg" else self.metric
        return priced(story.metric(self.code, self.kind, **own), **self.charge)

    def sent(self, **more: Any) -> list[dict[str, Any]]:
        """Its events, for `use_many`."""
        return [{"code": self.code, "at": f"2024-{day}", **properties, **more} for day, properties in self.events]


def values(*days_and_values: tuple[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Events of a case with these values."""
    return [(day, {"v": value}) for day, value in days_and_values]


def moves(*listed: tuple[str, str, str | None]) -> list[tuple[str, dict[str, Any]]]:
    """Events of a case that add and remove values: (day, value, operation)."""
    return [(day, {"v": value} | ({"operation_type": said} if said else {})) for day, value, said in listed]


@dataclass(frozen=True)
class Bill:
    """The fees of one invoice for usage, as they are shown."""

    fees: Sequence[dict[str, Any]]

    def of(self, code: str) -> list[dict[str, Any]]:
        """The fees of a metric."""
        return [fee for fee in self.fees if fee["item"]["code"] == code]

    def cents(self, code: str) -> list[int]:
        """Their amounts."""
        return [fee["amount_cents"] for fee in self.of(code)]

    def lines(self, code: str) -> list[tuple[str, int, int]]:
        """Their units, events and amounts."""
        return [(fee["units"], fee["events_count"], fee["amount_cents"]) for fee in self.of(code)]

    @property
    def rows(self) -> list[tuple[str, str, int, int]]:
        """The metric, units, events and amount of each fee."""
        return [(f["item"]["code"], f["units"], f["events_count"], f["amount_cents"]) for f in self.fees]

    def one(self, code: str) -> dict[str, Any]:
        """The only fee of a metric."""
        (fee,) = self.of(code)
        return fee


def bills(story: Story, subscription: str = "sub") -> list[Bill]:
    """Each invoice's fees for a subscription's usage, oldest first."""
    shown = []
    for invoice in story.invoices():
        if any(p["external_subscription_id"] == subscription for p in invoice["billing_periods"]):
            own = [f for f in invoice["fees"] if f["external_subscription_id"] == subscription]
            shown.append(Bill([fee for fee in own if fee["item"]["type"] == "charge"]))
    return shown


def last_bill(story: Story, subscription: str = "sub") -> Bill:
    """The newest of them."""
    return bills(story, subscription)[-1]


def assert_agrees(usage: Mapping[str, Any], bill: Bill) -> None:
    """Current usage says of each charge what the invoice then billed (true-ups aside, which usage does not know)."""
    for shown in usage["charges_usage"]:
        own = [
            fee
            for fee in bill.fees
            if fee["lago_charge_id"] == shown["charge"]["lago_id"] and fee["lago_true_up_parent_fee_id"] is None
        ]
        billed = (
            total(Decimal(fee["units"]) for fee in own),
            sum(fee["events_count"] for fee in own),
            sum(fee["amount_cents"] for fee in own),
        )
        code = shown["billable_metric"]["code"]
        assert (code, Decimal(shown["units"]), shown["events_count"], shown["amount_cents"]) == (code, *billed)
