"""Amounts that each airline owes, computed from the file alone. No code is shared with Tollgate, on purpose."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from scripts.demo import flights

BASE_CENTS = 250_000
PRICE_PER_DEPARTURE = Decimal("12.345")
PRICE_PER_MILE = Decimal("0.0137")
TAX_PERCENT = Decimal("8.875")


@dataclass(frozen=True, slots=True)
class Bill:
    """One airline's month: units, and amounts in cents."""

    departures: int
    miles: int
    departures_cents: int
    miles_cents: int
    base_cents: int
    tax_cents: int

    @property
    def total_cents(self) -> int:
        """Total that the airline pays."""
        return self.base_cents + self.departures_cents + self.miles_cents + self.tax_cents


def bills(months: int) -> dict[tuple[str, int], Bill]:
    """(carrier, month) -> bill, for every carrier that flew in these months at all."""
    counted: dict[tuple[str, int], dict[str, Decimal]] = defaultdict(dict)
    carriers: set[str] = set()
    for departure in flights.departures(months):
        local = departure.at.astimezone(flights.NEW_YORK)
        counted[(departure.carrier, local.month)][departure.transaction_id] = Decimal(departure.distance)
        carriers.add(departure.carrier)
    return {
        (carrier, month): _bill(list(counted[(carrier, month)].values()))
        for carrier in sorted(carriers)
        for month in range(1, months + 1)
    }


def _bill(distances: list[Decimal]) -> Bill:
    miles = sum(distances, Decimal(0))
    departures_cents = _cents(PRICE_PER_DEPARTURE * len(distances))
    miles_cents = _cents(PRICE_PER_MILE * miles)
    subtotal = BASE_CENTS + departures_cents + miles_cents
    tax = (subtotal * TAX_PERCENT / 100).quantize(Decimal(1), ROUND_HALF_UP)
    return Bill(len(distances), int(miles), departures_cents, miles_cents, BASE_CENTS, int(tax))


def _cents(dollars: Decimal) -> int:
    return int((dollars * 100).quantize(Decimal(1), ROUND_HALF_UP))
