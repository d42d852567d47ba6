"""Edges at which usage read from rollups could differ from a recount of the events, each with all events at once and one after
the other, in either order, before their days have ended and after. Source: rules/usage 1 to 4."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib import limits, wiring
from chalicelib.features.metering.event import Event
from tests.features.metering.test_laws_of_usage import begin_anew, wall  # noqa: F401  wall: a fixture
from tests.support.charging import ALL, tiers
from tests.support.metered import World, deliver
from tests.support.quick_tables import state
from tests.support.recount import Gauge, Price, Range
from tests.support.story import Story, work
from tests.support.usage import message
from tests.support.worlds import DAY, HOUR, MINUTE, MS, Metering, Usage, local

MONDAY = datetime(2024, 2, 26)  # noqa: DTZ001  local, placed by `local`
KOLKATA = ZoneInfo("Asia/Kolkata")
NOON = datetime(2024, 2, 28, 12, tzinfo=UTC)
HALF_PAST = local(MONDAY + 2 * DAY, KOLKATA)  # 18:30 UTC.
PLAIN = Price("standard", {"amount": "2"})
LISTED = {"cloud": ["aws", "gcp"], "region": ["eu", "us"]}
FILTERED = Price(
    "standard",
    {"amount": "1"},
    [
        ({"cloud": ["aws", "gcp"]}, {"amount": "2"}),
        ({"cloud": ["aws"]}, {"amount": "3"}),
        ({"cloud": [ALL], "region": ["eu"]}, {"amount": "5", "pricing_group_keys": ["user"]}),
    ],
)
GROUPED = Price("standard", {"amount": "1", "pricing_group_keys": ["user"]})
BY_USER_AND_CLOUD = Price(
    "package", {"amount": "1", "package_size": 2, "free_units": 1, "pricing_group_keys": ["user", "cloud"]}
)
PRORATED = Price("graduated", {"graduated_ranges": tiers((0, 1, "10", "100"), (2, None, "5", "50"))}, prorated=True)
DYNAMIC = Price("dynamic", {})
PERCENTAGE = Price("percentage", {"rate": "10", "fixed_amount": "2", "free_units_per_events": 1})


def gauge(name: str, *, recurring: bool = False, rounding: tuple[str, int] | None = None) -> Gauge:
    kind = f"{name}_agg"
    return Gauge(kind, None if name == "count" else "v", recurring, rounding, LISTED)


EVERY = [
    gauge("count"),
    gauge("sum"),
    gauge("sum", recurring=True),
    gauge("max"),
    gauge("latest"),
    gauge("unique_count"),
    gauge("unique_count", recurring=True),
    gauge("weighted_sum"),
    gauge("weighted_sum", recurring=True),
]


def at(
    when: datetime, value: Any, cents: str | None = None, **properties: Any
) -> tuple[datetime, dict[str, Any], str | None]:
    return when, {"v": value, **properties}, cents


def events(codes: list[str], happenings: list[tuple[datetime, dict[str, Any], str | None]]) -> list[Event]:
    """Each happening as an event of each code. The order of their ids is another one than that of their reception."""
    return [
        Event(
            f"{n * 37 % 100:02d}-{code}",
            "sub",
            code,
            (when - datetime(1970, 1, 1, tzinfo=UTC)) // MS,
            dict(properties),
            cents,
        )
        for n, (when, properties, cents) in enumerate(happenings)
        for code in codes
    ]


def usage(gauges: list[Gauge], prices: list[Price], happenings: Any, *ranges: Range, zone: ZoneInfo = KOLKATA) -> Usage:
    meterings = [
        Metering(f"{each.kind}{each.recurring}", each, [p for p in prices if fits(each, p)], late=False)
        for each in gauges
    ]
    return Usage(
        zone,
        MONDAY,
        local(MONDAY, zone),
        meterings,
        events([each.code for each in meterings], happenings),
        list(ranges),
    )


def fits(of: Gauge, price: Price) -> bool:
    if price.prorated:
        return of.recurring and of.kind != "weighted_sum_agg"
    if price.model == "dynamic":
        return of.kind == "sum_agg"
    return price.model != "percentage" or of.kind in ("count_agg", "sum_agg")


def kolkata(start: datetime, end: datetime) -> Range:
    return Range(start, end, KOLKATA, 7)


EDGES = [
    pytest.param(
        usage(EVERY, [PLAIN, FILTERED, GROUPED, PRORATED], []),
        id="nothing at all",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, FILTERED, PRORATED],
            [
                at(edge + step, n, cloud="aws")
                for edge in (HALF_PAST, HALF_PAST + DAY)
                for n, step in enumerate((-MS, MS * 0, MS))
            ],
            kolkata(HALF_PAST, HALF_PAST + DAY),
            kolkata(HALF_PAST + MS, HALF_PAST + DAY - MS),
            kolkata(HALF_PAST, HALF_PAST + MINUTE),
        ),
        id="days that begin at half past, and ranges within an hour",
    ),
    pytest.param(
        usage(EVERY, [PLAIN, GROUPED], [at(NOON, v, user="u") for v in ("-3", -7, "-0.5")], kolkata(NOON, NOON + MS)),
        id="nothing above 0, all at one instant",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, FILTERED, PRORATED],
            [
                at(NOON, v, operation_type=said)
                for v, said in ((5, "add"), (5, "remove"), (3, "add"), (3, "remove"), (4, "add"))
            ],
        ),
        id="of one instant the reception decides",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, PRORATED],
            [
                at(NOON - 40 * DAY, 8),
                at(NOON - 9 * DAY, "-3"),
                at(NOON - 9 * DAY, 8, operation_type="remove"),
                at(NOON, 4),
            ],
        ),
        id="what recurs looks back without limit",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, GROUPED, BY_USER_AND_CLOUD],
            [at(NOON + n * MINUTE / 2, n % 7, user=f"user {n}", cloud="aws") for n in range(45)],
        ),
        id="more groups than a row keeps",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, FILTERED, GROUPED, BY_USER_AND_CLOUD],
            [
                at(NOON + n * HOUR, n, user=user, cloud=cloud, region="eu")
                for n, (user, cloud) in enumerate(
                    [
                        (None, "aws"),
                        ("", "gcp"),
                        ("\0", "aws"),
                        (True, "AWS"),
                        ("true", None),
                        (1, ["aws"]),
                        ("1", "x" * 300),
                    ]
                )
            ],
        ),
        id="values of dimensions that are odd",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, GROUPED, DYNAMIC],
            [
                at(NOON + n * (7 * MINUTE + 7 * MS), value, "9" * 25 + "." + "9" * 15, user="u")
                for n, value in enumerate([*[f"{'9' * 23}.{'9' * 15}"] * 5, f"-{'9' * 23}.{'9' * 15}", 1, 10**15])
            ],
        ),
        id="as many digits as there may be",
    ),
    pytest.param(
        usage(
            [gauge("sum"), gauge("sum", recurring=True)],
            [PLAIN, DYNAMIC],
            [at(NOON, 1, "150"), at(NOON, 2), at(NOON + HOUR, 3, "0.000000000000001"), at(NOON - 9 * DAY, 4, "70")],
        ),
        id="prices that only some events bring along",
    ),
    pytest.param(
        usage(
            [gauge("count"), gauge("sum"), gauge("sum", recurring=True)],
            [PERCENTAGE],
            [at(NOON - n * HOUR, value) for n, value in enumerate([200, "100", "-20", 0, "none", 50])],
        ),
        id="prices of single events, in order of time",
    ),
    pytest.param(
        usage(
            EVERY,
            [PLAIN, GROUPED],
            [at(NOON + n * MINUTE, 1, **{f"p{n}-{i}": i for i in range(9)}, user="u") for n in range(4)],
        ),
        id="more numbers than a row sums",
    ),
    pytest.param(
        usage(
            [gauge(name, rounding=("ceil", -1)) for name in ("count", "sum", "max", "weighted_sum")]
            + [gauge("latest", rounding=("floor", 1)), gauge("unique_count", rounding=("round", -1))],
            [PLAIN, FILTERED, GROUPED],
            [at(NOON + n * DAY, f"{n}.75", cloud="aws", user=f"u{n}", region="eu") for n in range(-2, 3)],
        ),
        id="units are rounded for each fee",
    ),
]

WAYS = AT_ONCE, IN_ORDER, BACKWARDS = "at once", "one after the other", "backwards, when their days have ended"


@pytest.mark.parametrize("of", EDGES)
def test_usage_at_an_edge_is_what_a_recount_gives(wall, monkeypatch, of):  # noqa: F811
    monkeypatch.setattr(limits, "REGISTER_FROM_EVENTS", 1)
    story = Story.begin(at="2023-01-01T00:00:00Z")
    empty = state()
    for way in WAYS:
        wall.now = None
        begin_anew(empty)
        world = World(of, story)
        world.subscribe()
        wall.now = local(MONDAY, of.zone) + 14 * DAY if way == BACKWARDS else NOON
        tell(world, way)
        wall.now += 2 * HOUR
        wiring.tick()  # Registers of distinct values that reading opened are filled.
        work()
        for each in (of.week, *of.ranges, of.week):
            world.assert_equals_recount(each)
            world.assert_equals_recount(each, {"cloud": "aws"})
        wall.now = None
        world.assert_api_equals_recount()


def tell(world: World, way: str) -> None:
    """Deliver all events in one message or in some of them, and read in between: days are folded, and count more then."""
    sent, happenings = world.of.events, len(world.of.meterings)
    size = len(sent) if way == AT_ONCE else max(happenings, len(sent) // 12)
    records = [
        message(sent[n : n + size], world.organization, received_at=NOON + n * MS)
        for n in range(0, len(sent), max(1, size))
    ]
    for n, record in enumerate(records if way != BACKWARDS else records[::-1]):
        assert deliver([record])
        if n < 2:
            world.assert_equals_recount(world.of.week)


def test_distinct_values_that_are_counted_as_they_come_in_are_those_of_a_recount(wall, monkeypatch):  # noqa: F811
    """First while values are only added; then some are removed, added and removed at once, and told of late."""
    monkeypatch.setattr(limits, "REGISTER_FROM_EVENTS", 1)
    add, remove = {"operation_type": "add"}, {"operation_type": "remove"}
    batches = [
        [at(NOON, "a"), at(NOON, "b", cloud="aws"), at(NOON + HOUR, "a", cloud="aws")],
        [at(NOON + DAY, "c", **add), at(NOON - DAY, "a", **add), at(NOON - 9 * DAY, "d", cloud="gcp")],
        [at(NOON + 2 * HOUR, "a", **remove), at(NOON, "e")],
        [
            at(NOON + HOUR, "f", **add),
            at(NOON + 2 * HOUR, "f", **remove),
            at(NOON, "f", **add),
            at(NOON, "f", **remove),
        ],
        [at(NOON + HOUR, "b", cloud="aws", **remove), at(NOON + 3 * HOUR, "a", **add), at(NOON + 2 * HOUR, "a", **add)],
        [at(NOON + 90 * MINUTE, "b", cloud="aws", **add), at(NOON + 2 * DAY, "c", **remove), at(NOON, "c", **add)],
    ]
    gauges = [gauge("unique_count"), gauge("unique_count", recurring=True)]
    of = usage(gauges, [PLAIN, FILTERED], [each for batch in batches for each in batch])
    world = World(of, Story.begin(at="2023-01-01T00:00:00Z"))
    wall.now = NOON
    left = list(of.events)
    for n, batch in enumerate(batches):
        own, left = left[: 2 * len(batch)], left[2 * len(batch) :]
        assert deliver([message(own, world.organization, received_at=NOON + n * MS)])
        for _ in range(2):  # The first reading opens registers, the second one reads what was filled.
            world.assert_equals_recount(of.week)
            wall.now += 2 * HOUR
            wiring.tick()
            work()
        world.assert_equals_recount(of.week)


DAY_ENDS = datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([-HOUR, -MINUTE], id="while the day goes on"),
        pytest.param([-MINUTE, MINUTE], id="over its end"),
        pytest.param([MINUTE, 59 * MINUTE], id="within the hour after its end"),
        pytest.param([59 * MINUTE, 61 * MINUTE], id="when it may be folded"),
        pytest.param([61 * MINUTE, 62 * MINUTE, DAY], id="when it was folded"),
        pytest.param([-MINUTE, 61 * MINUTE, 2 * DAY], id="from open to folded"),
    ],
)
def test_events_that_come_between_two_reads_are_seen_by_the_second(wall, moments):  # noqa: F811
    of = usage(
        EVERY,
        [PLAIN, FILTERED, GROUPED, PRORATED],
        [at(DAY_ENDS - n * HOUR, n, cloud="aws", region="eu", user=f"u{n % 2}") for n in range(1, 9)],
    )
    world = World(of, Story.begin(at="2023-01-01T00:00:00Z"))
    left = list(of.events)
    for moment in moments:
        wall.now = DAY_ENDS + moment
        for part in (left[:18], left[18:27]):
            assert deliver([message(part, world.organization)])
            world.assert_equals_recount(of.week)
        left = left[27:]


def test_a_metric_that_becomes_another_counts_by_what_it_is_now(wall):  # noqa: F811
    """From a sum by cloud to a maximum, to distinct values, to the sum of another property: of the same events."""
    happenings = [at(NOON + n * HOUR, n, w=f"{n % 3}.5", cloud="aws", region="eu", user="u") for n in range(-30, 6)]
    of = usage([gauge("sum")], [PLAIN, FILTERED, GROUPED], happenings)
    world = World(of, Story.begin(at="2023-01-01T00:00:00Z"), sandbox=False)
    (code,) = world.gauges
    wall.now = NOON + 3 * DAY
    left = list(of.events)
    others = [
        Gauge("max_agg", "v", listed=LISTED),
        Gauge("unique_count_agg", "w"),
        Gauge("weighted_sum_agg", "w", recurring=True),
        Gauge("sum_agg", "w", listed=LISTED),
    ]
    for new in (None, *others):
        if new is not None:
            prices = [PLAIN, *([FILTERED] if new.listed else []), GROUPED]
            world.define_anew(Metering(code, new, prices, late=False))
        assert deliver([message(left[:7], world.organization)])
        left = left[7:]
        world.assert_equals_recount(of.week)
        world.assert_equals_recount(of.week)


def test_dimensions_that_change_hold_for_what_came_before_as_well(wall, monkeypatch):  # noqa: F811
    monkeypatch.setattr(limits, "REGISTER_FROM_EVENTS", 1)
    happenings = [
        at(NOON + n * HOUR, n + 50, cloud=("aws", "gcp", "azure")[n % 3], region="eu", user=f"u{n % 2}")
        for n in range(-30, 6)
    ]
    of = usage(EVERY, [PLAIN, FILTERED, GROUPED, PRORATED], happenings)
    world = World(of, Story.begin(at="2023-01-01T00:00:00Z"), sandbox=False)
    wall.now = NOON + 3 * DAY
    left = list(of.events)
    for listed in (None, {"cloud": ["azure"], "region": ["eu"]}, {"region": ["us"]}, {}, LISTED):
        if listed is not None:
            for code in world.gauges:
                world.change(code, listed)
        assert deliver([message(left[:60], world.organization)])
        left = left[60:]
        for _ in range(2):
            world.assert_equals_recount(of.week)
            wall.now += timedelta(minutes=70)
            wiring.tick()
            work()
