"""One subscription's heavy month: the events that all who are compared get, and what they are asked."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import NamedTuple

from chalicelib.domain.periods import Span

ORGANIZATION, SUBSCRIPTION = "bench", "heavy"
MONTH = Span(datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC))
LAST_DAY = date(2024, 3, 31)
# An end that cuts a day and an hour, as when a subscription ends.
CUT = datetime(2024, 3, 31, 17, 23, 45, 678_000, tzinfo=UTC)

# Each question is a metric of its own, by its code: its aggregation and property. A quarter of the events is of each.
QUESTIONS = {
    "sum": ("sum_agg", "amount"),
    "max": ("max_agg", "amount"),
    "unique": ("unique_count_agg", "user_id"),
    "filters": ("sum_agg", "amount"),
}
CLOUDS, REGIONS = ("aws", "azure", "gcp"), ("ap", "eu", "sa", "us")
COMBINATIONS = tuple(product(CLOUDS, REGIONS))

_USERS = 10_000
_MILLISECOND = timedelta(milliseconds=1)


class Use(NamedTuple):
    """One event."""

    transaction_id: str
    code: str
    at: datetime
    amount: Decimal
    user_id: str
    cloud: str
    region: str


def month(size: int) -> Iterator[Use]:
    """`size` events, evenly over the month and in its order; the same at each call."""
    draw = random.Random(size)
    codes = tuple(QUESTIONS)
    length = (MONTH.end - MONTH.start) // _MILLISECOND
    for n in range(size):
        yield Use(
            transaction_id=f"tx-{n:07d}",
            code=codes[n % len(codes)],
            at=MONTH.start + n * length // size * _MILLISECOND,
            amount=Decimal(draw.randrange(1, 100_000_000)).scaleb(-4),
            user_id=f"user-{draw.randrange(_USERS)}",
            cloud=draw.choice(CLOUDS),
            region=draw.choice(REGIONS),
        )


def write(size: int, path: Path) -> None:
    """The same as lines of text, tab-separated, with the organization and the subscription in front."""
    with path.open("w") as file:
        for use in month(size):
            fields = (use.transaction_id, use.code, clock_text(use.at), f"{use.amount:f}", *use[4:])
            file.write("\t".join((ORGANIZATION, SUBSCRIPTION, *fields)) + "\n")


def clock_text(at: datetime) -> str:
    """An instant as databases read it: UTC, to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
