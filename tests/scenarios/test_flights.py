"""A year of real use: flights from New York's airports in 2013, by every aggregation, filter and group, billed each month over
the API and compared, fee by fee, with a naive recount. Source: rules/usage 3, 6; the data are those of `make demo`.

Every so many of all flights; `EXAMPLES=3000` in the environment takes them all, which takes long."""

import itertools
from collections import Counter
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from scripts.demo import flights
from tests.support.charging import ALL, bills, tiers, use_many
from tests.support.examples import examples
from tests.support.recount import Fact, Gauge, Price, Range, lines
from tests.support.story import Story

# Of so many flights one is taken.
STEP = max(1, 3000 // examples(1))
ORIGINS = {"origin": ["EWR", "JFK", "LGA"]}
BY_ORIGIN = [({"origin": ["EWR", "JFK"]}, {"amount": "0.02"}), ({"origin": ["JFK"]}, {"amount": "0.03"})]

# By code: the metric, the property of the flight that is its value, and the charge.
METERED: dict[str, tuple[Gauge, str | None, Price]] = {
    "flights": (
        Gauge("count_agg", listed=ORIGINS),
        None,
        Price("standard", {"amount": "1.5", "pricing_group_keys": ["dest"]}, [({"origin": [ALL]}, {"amount": "2"})]),
    ),
    "miles": (
        Gauge("sum_agg", "v", rounding=("ceil", -1), listed=ORIGINS),
        "distance",
        Price("standard", {"amount": "0.01", "pricing_group_keys": ["hour"]}, BY_ORIGIN),
    ),
    "worst": (
        Gauge("max_agg", "v", listed=ORIGINS),
        "dep_delay",
        Price("graduated", {"graduated_ranges": tiers((0, 60, "0", "1"), (61, None, "0.5", "5"))}),
    ),
    "last": (
        Gauge("latest_agg", "v"),
        "arr_delay",
        Price("volume", {"volume_ranges": tiers((0, 10, "1", "2"), (11, None, "0.5", "0"))}),
    ),
    "planes": (
        Gauge("unique_count_agg", "v", listed=ORIGINS),
        "tailnum",
        Price(
            "package",
            {"amount": "7", "package_size": 5, "free_units": 2},
            [({"origin": ["JFK"]}, {"amount": "6", "package_size": 3, "free_units": 0})],
        ),
    ),
    "fleet": (
        Gauge("unique_count_agg", "v", recurring=True),
        "tailnum",
        Price("graduated", {"graduated_ranges": tiers((0, 10, "10", "1"), (11, None, "5", "2"))}, prorated=True),
    ),
    "airborne": (
        Gauge("sum_agg", "v", recurring=True, listed=ORIGINS),
        "air_time",
        Price("standard", {"amount": "0.001"}, [({"origin": [ALL]}, {"amount": "0.002"})]),
    ),
    "drift": (Gauge("weighted_sum_agg", "v", rounding=("round", 3)), "arr_delay", Price("standard", {"amount": "0.1"})),
    "hold": (Gauge("weighted_sum_agg", "v", recurring=True), "air_time", Price("standard", {"amount": "0.001"})),
    "tickets": (
        Gauge("sum_agg", "v"),
        "distance",
        Price(
            "percentage",
            {"rate": "1.5", "fixed_amount": "0.25", "free_units_per_events": 3, "per_transaction_max_amount": "20"},
        ),
    ),
}


def rows() -> dict[int, list[dict[str, str]]]:
    """The flights by month, cancelled ones too: they have no numbers."""
    found: dict[int, list[dict[str, str]]] = {}
    for row in itertools.islice(flights.rows(), 0, None, STEP):
        found.setdefault(int(row["month"]), []).append(row)
    return found


def event(code: str, row: dict[str, str]) -> dict[str, Any]:
    source = METERED[code][1]
    at = flights.scheduled(row)
    return {
        "id": f"{code}-{row['carrier']}-{row['flight']}-{row['origin']}-{at:%Y%m%dT%H%M}",
        "code": code,
        "at": at.timestamp(),
        "origin": row["origin"],
        "dest": row["dest"],
        "hour": row["hour"],
        **({} if source is None else {"v": row[source]}),
    }


def test_a_year_of_flights_is_billed_as_a_recount_has_it(aws):
    story = Story.begin(at="2013-01-01T05:00:00Z")
    story.plan(charges=[set_up(story, code) for code in METERED])
    story.customer(timezone=flights.NEW_YORK.key)
    story.subscribe()
    facts: dict[str, list[Fact]] = {code: [] for code in METERED}
    by_month = rows()
    for month in range(1, 13):
        sent = [event(code, row) for row in by_month[month] for code in METERED]
        use_many(story, sent)
        for n, each in enumerate(sent):
            properties = {name: value for name, value in each.items() if name not in ("id", "code", "at")}
            order = (f"{month:02}", n, each["id"])  # In requests of a hundred, which are received in this order.
            facts[each["code"]].append(Fact(datetime.fromtimestamp(each["at"], UTC), order, properties))
        first, following = date(2013, month, 1), date(2013 + month // 12, month % 12 + 1, 1)
        of = Range(midnight(first), midnight(following), flights.NEW_YORK, (following - first).days)
        story.travel(f"{of.end:%Y-%m-%dT%H:%M:%SZ}")
        found = bills(story)
        assert len(found) == month
        for code, (gauge, _, price) in METERED.items():
            assert billed(found[-1].of(code)) == owed(gauge, price, facts[code], of), (month, code)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=flights.NEW_YORK).astimezone(UTC)


def set_up(story: Story, code: str) -> dict[str, Any]:
    gauge, _, price = METERED[code]
    rounding = gauge.rounding or (None, None)
    metric = story.metric(
        code,
        gauge.kind,
        field_name=gauge.field_name,
        recurring=gauge.recurring,
        rounding_function=rounding[0],
        rounding_precision=rounding[1],
        weighted_interval="seconds" if gauge.kind == "weighted_sum_agg" else None,
        filters=[{"key": key, "values": values} for key, values in gauge.listed.items()],
    )
    return {
        "billable_metric_id": metric["lago_id"],
        "charge_model": price.model,
        "properties": price.properties,
        "prorated": price.prorated,
        "filters": [{"values": values, "properties": properties} for values, properties in price.filters],
    }


Fees = Counter[tuple[str, str, Fraction, int]]


def billed(fees: list[dict[str, Any]]) -> Fees:
    return Counter(
        (str(f["item"]["filters"]), str(f["item"]["grouped_by"]), Fraction(f["units"]), f["amount_cents"]) for f in fees
    )


def owed(gauge: Gauge, price: Price, facts: list[Fact], of: Range) -> Fees:
    """A fee of nothing at all is not kept."""
    found = [line for line in lines(gauge, price, facts, of) if line.units or line.cents or line.events_count]
    filters = [values for values, _ in price.filters]
    return Counter(
        (str(None if line.filter is None else filters[line.filter]), str(dict(line.group)), line.units, line.cents)
        for line in found
    )
