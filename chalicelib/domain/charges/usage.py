"""Input and output of every charge model: the usage of a period, and its price."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.percentage_tally import Tally


@dataclass(frozen=True, slots=True)
class ChargeUsage:
    """Usage to price: exact units (never negative) and the number of events.

    `values`: units that each event adds, in the order of their timestamps; only where `properties.needs_values` says
    so. `tally`: the running state made of them, in their place. `precise_total_cents`: the sum of the events' own
    amounts, in cents; only for the dynamic model.
    """

    units: Decimal
    events_count: int
    values: tuple[Decimal, ...] | None = None
    precise_total_cents: Decimal | None = None
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Priced:
    """The exact amount in currency units, the amount of one unit, and the API's `amount_details`."""

    amount: Decimal
    unit_amount: Decimal
    details: Mapping[str, Any]
