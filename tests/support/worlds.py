"""Random worlds of usage: what is metered and priced, and which events come, for the laws of usage.

A world is drawn whole, so that what it holds is printed where a law does not hold in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from chalicelib.features.metering.event import Event
from tests.support.charging import tiers
from tests.support.recount import ALL, Gauge, Price, Range

DAY, HOUR, MINUTE, MS = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(milliseconds=1)

# Zones with offsets of parts of an hour, and days on which clocks change (by half an hour on Lord Howe), a leap day, a year's
# end. Each with the Monday of a week that holds such a day.
WEEKS = [
    ("UTC", "2024-02-26"),
    ("Asia/Kolkata", "2024-01-01"),
    ("Asia/Kathmandu", "2024-02-26"),
    ("America/St_Johns", "2024-03-04"),
    ("Australia/Lord_Howe", "2024-04-01"),
    ("Pacific/Chatham", "2024-04-01"),
    ("America/New_York", "2024-10-28"),
]

KINDS = [
    ("count_agg", False),
    ("sum_agg", False),
    ("sum_agg", True),
    ("max_agg", False),
    ("latest_agg", False),
    ("unique_count_agg", False),
    ("unique_count_agg", False),
    ("unique_count_agg", True),
    ("weighted_sum_agg", False),
    ("weighted_sum_agg", True),
]
# Names that could be taken for others where they are put together.
CODES = ("calls", "a#b", "ü", "calls#0", "Zoë 東京", "n")
FIELDS = ("v", "a#b", "s:v", "n", "größe", "f" * 80)
LISTED: dict[str, list[str]] = {"cloud": ["aws", "gcp", "7", "a#b"], "region": ["eu", "us"], "ключ": ["да", "true"]}
KEYS = list(LISTED)

# Values that are often there, so that much is counted, and odd ones.
USUAL_VALUES: list[Any] = [7, "7", 2, "0.5", "-3", Decimal("12.5"), 1, "4"]
ODD_VALUES: list[Any] = [
    "7.0",
    "-3.5",
    "0.000000000000001",
    Decimal("1.50"),
    0,
    "-0",
    "007",
    "999999999999999",
    "-999999999999999.999999999999999",
    "0.0000000000000005",
    "1000000000000000",
    "-1000000000000000000.000000000000001",
    "99999999999999999999999.999999999999999",
    Decimal("1E+18"),
    10**23,
    "ten",
    "1e2",
    "",
    " 5",
    "5.",
    "٣",
    True,
    None,
    [1],
    {"a": 1},
    "Zoë 東京",
    "w" * 300,
]
DIMENSIONS: dict[str, list[Any]] = {
    "cloud": ["aws", "gcp", "aws", 7, "a#b", "AWS", "azure", "", ["aws"], "z" * 300],
    "region": ["eu", "us", "us", "eu", "asia", True, None],
    "ключ": ["да", True, "да", "нет", 7],
    "user": ["u1", "u2", "u2", 7, "7", "東京", None],
}
OPERATIONS = [None, None, None, "add", "add", "remove", "remove", "delete", ""]


@dataclass(frozen=True)
class Metering:
    """A metric with its charges. `late`: it is made when events have come already."""

    code: str
    gauge: Gauge
    prices: list[Price]
    late: bool


@dataclass(frozen=True)
class Usage:
    """One world. `instants`: where something may happen; `ranges`: which are read; `changed`: by code the values that
    its metric lists from some time on."""

    zone: ZoneInfo
    monday: datetime
    begins: datetime
    meterings: list[Metering]
    events: list[Event]
    ranges: list[Range]
    changed: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)

    @property
    def week(self) -> Range:
        """The subscription's first week: it begins within it."""
        return Range(self.begins, local(self.monday + 7 * DAY, self.zone), self.zone, 7)


def local(midnight: datetime, zone: ZoneInfo) -> datetime:
    """A naive local instant, in UTC."""
    return midnight.replace(tzinfo=zone).astimezone(UTC)


# Metered usage.


def model_properties(gauge: Gauge) -> list[tuple[str, dict[str, Any]]]:
    """The models that may price a metric."""
    ranges = tiers((0, 2, "10", "1"), (3, 5, "5.5", "0.25"), (6, None, "2.000000000000001", "7"))
    rates = tiers((0, 3, "1.5", "2"), (3, None, "0.33", "3"), price="rate")
    found: list[tuple[str, dict[str, Any]]] = [
        ("standard", {"amount": "0.333333333333333"}),
        ("graduated", {"graduated_ranges": ranges}),
        ("volume", {"volume_ranges": ranges}),
        ("package", {"amount": "5", "package_size": 3, "free_units": 2}),
    ]
    if gauge.kind == "latest_agg":
        return found
    found += [
        ("graduated_percentage", {"graduated_percentage_ranges": rates}),
        ("percentage", {"rate": "1.2", "fixed_amount": "0.1"}),
    ]
    if gauge.kind in ("count_agg", "sum_agg"):
        found += [
            ("percentage", {"rate": "2.99", "per_transaction_min_amount": "1.75", "per_transaction_max_amount": "12"}),
            ("percentage", {"rate": "1.2", "fixed_amount": "0.1", "free_units_per_events": 3}),
            ("percentage", {"rate": "1.2", "fixed_amount": "0.1", "free_units_per_total_aggregation": "20"}),
        ]
    return [*found, ("dynamic", {})] if gauge.kind == "sum_agg" else found


@st.composite
def _values(draw: st.DrawFn, listed: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Values that a charge's filter takes."""
    keys = draw(st.lists(st.sampled_from(sorted(listed)), min_size=1, max_size=2, unique=True))
    return {key: draw(st.one_of(st.just([ALL]), _some(listed[key]))) for key in keys}


def _some(of: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(of), min_size=1, max_size=3, unique=True)


_group_keys = st.sampled_from([(), (), ("cloud",), ("user",), ("region", "user"), ("ключ",)])


@st.composite
def _prices(draw: st.DrawFn, gauge: Gauge) -> Price:
    prorated = gauge.recurring and gauge.kind != "weighted_sum_agg" and draw(st.booleans())
    models = [(name, own) for name, own in model_properties(gauge) if not prorated or name in PRORATED]
    model, properties = draw(st.sampled_from(models))

    def grouped() -> dict[str, Any]:
        keys = draw(_group_keys)
        return {**properties, "pricing_group_keys": list(keys)} if keys else dict(properties)

    filters = draw(st.lists(_values(gauge.listed), max_size=4)) if gauge.listed else []
    if model == "dynamic":  # Its properties hold nothing, which a filter's must not.
        filters = []
    return Price(model, grouped(), [(values, grouped()) for values in filters], prorated)


PRORATED = ("standard", "graduated", "volume")


@st.composite
def _meterings(draw: st.DrawFn, code: str) -> Metering:
    kind, recurring = draw(st.sampled_from(KINDS))
    keys = draw(st.lists(st.sampled_from(KEYS), max_size=3, unique=True))
    rounding = st.none() | st.tuples(st.sampled_from(["round", "ceil", "floor"]), st.sampled_from([-1, 0, 1, 5]))
    gauge = Gauge(
        kind,
        None if kind == "count_agg" else draw(st.sampled_from(FIELDS)),
        recurring,
        draw(st.none() | rounding),
        {key: draw(_some(LISTED[key])) for key in keys},
    )
    plain = Price("standard", {"amount": "2"})
    prices = draw(st.lists(_prices(gauge), min_size=1, max_size=2))
    return Metering(code, gauge, [plain, *prices], draw(st.sampled_from([False, False, True])))


# Steps of a story.


@st.composite
def _instants(draw: st.DrawFn, edges: list[datetime], first: datetime) -> datetime:
    """At an edge of an hour, a day or a range, a millisecond beside it, or anywhere in the days around."""
    if draw(st.booleans()):
        return draw(st.sampled_from(edges)) + draw(st.sampled_from([-MS, timedelta(0), timedelta(0), MS]))
    return first + draw(st.integers(0, 9 * 24)) * HOUR + draw(st.integers(0, 3_599_999)) * MS


_VALUES = st.sampled_from([*USUAL_VALUES, *USUAL_VALUES, *USUAL_VALUES, *ODD_VALUES])


@st.composite
def _events(draw: st.DrawFn, codes: list[str], fields: list[str], instants: list[datetime]) -> list[Event]:
    made = []
    for n in range(draw(st.sampled_from([60, 40, 20, 5]))):
        properties: dict[str, Any] = {name: draw(_VALUES) for name in fields}
        properties |= {key: draw(st.sampled_from(of)) for key, of in DIMENSIONS.items()}
        for missing in draw(st.sets(st.sampled_from([*fields, *DIMENSIONS]), max_size=2)):
            del properties[missing]
        operation = draw(st.sampled_from(OPERATIONS))
        if operation is not None:
            properties["operation_type"] = operation
        match draw(st.sampled_from(["", "", "", "", "", "", "wide", "long", "many"])):
            case "wide":  # More numbers than a row sums of one event ...
                properties |= {f"p{i}": i for i in range(9)}
            case "long":
                properties["l" * 70] = 1
            case "many":  # ... and more names than it sums at all.
                properties |= {f"q{n}-{i}": i for i in range(4)}
        at = draw(st.sampled_from(instants))
        cents = draw(st.sampled_from([None, "12.345", "0.000000000000001"]))
        made.append(Event(f"t{n:02d}#ü", "sub", draw(st.sampled_from(codes)), _ms(at), properties, cents))
    return made


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // MS


@st.composite
def _ranges(draw: st.DrawFn, monday: datetime, zone: ZoneInfo) -> Range:
    """Some days of the customer, cut within the first day or the last."""
    first = draw(st.integers(0, 5))
    last = draw(st.integers(first, min(first + 3, 6)))
    start, end = local(monday + first * DAY, zone), local(monday + (last + 1) * DAY, zone)
    upgraded = False
    if draw(st.booleans()):
        start += timedelta(seconds=draw(st.integers(0, 43_199)))
    if draw(st.booleans()):
        end -= timedelta(milliseconds=draw(st.integers(0, 39_599_999)))
        upgraded = draw(st.booleans())
    return Range(start, end, zone, draw(st.sampled_from([7, 7, 31])), upgraded)


@st.composite
def worlds(draw: st.DrawFn) -> Usage:
    """A world of up to three metrics and up to fifty events around one week."""
    name, first = draw(st.sampled_from(WEEKS))
    zone = ZoneInfo(name)
    monday = datetime.combine(datetime.fromisoformat(first).date(), time())
    begins = local(monday, zone) + timedelta(seconds=draw(st.integers(0, 4 * 86_400)))
    codes = draw(st.lists(st.sampled_from(CODES), min_size=2, max_size=3, unique=True))
    meterings = [draw(_meterings(code)) for code in codes]
    ranges = draw(st.lists(_ranges(monday, zone), min_size=1, max_size=3))
    edges = [begins, *(edge for each in ranges for edge in (each.start, each.end))]
    edges += [local(monday + n * DAY, zone) for n in range(8)]
    edges += [
        datetime.combine(monday.date() + n * DAY, time(), UTC) + hours * HOUR for n in (0, 2, 7) for hours in (0, 7)
    ]
    instants = draw(st.lists(_instants(edges, local(monday, zone) - DAY), min_size=8, max_size=25))
    fields = sorted({each.gauge.field_name for each in meterings if each.gauge.field_name is not None})
    events = draw(_events([*codes, *codes, "unknown"], fields, [_millisecond(at) for at in instants]))
    changed = {
        each.code: {key: draw(_some(LISTED[key])) for key in each.gauge.listed if draw(st.booleans())}
        for each in meterings
        if each.gauge.listed and not each.late and draw(st.booleans())
    }
    return Usage(zone, monday, begins, meterings, events, ranges, changed)


def _millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
