"""A law: usage read over HTTP is what a naive recount of the events gives, in whatever order, how often and in whatever
batches they were sent. Source: rules/usage 1 to 4. (tests/features/metering has the laws of what lies behind.)"""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.charging import priced
from tests.support.examples import examples
from tests.support.recount import Fact, Gauge, Line, Price, Range, lines
from tests.support.story import Story, meter

# A subscription that begins within January.
JANUARY = Range(datetime(2024, 1, 5, 9, 30, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), ZoneInfo("UTC"), 31)
EARLIEST = datetime(2023, 12, 20, tzinfo=UTC)
LISTED = {"cloud": ["aws", "gcp"]}
METRICS = {
    "count": Gauge("count_agg", listed=LISTED),
    "sum": Gauge("sum_agg", "v", listed=LISTED),
    "level": Gauge("sum_agg", "v", recurring=True, listed=LISTED),
    "max": Gauge("max_agg", "v", listed=LISTED),
    "latest": Gauge("latest_agg", "v", listed=LISTED),
    "unique": Gauge("unique_count_agg", "v", listed=LISTED),
    "held": Gauge("unique_count_agg", "v", recurring=True, listed=LISTED),
    "average": Gauge("weighted_sum_agg", "v", listed=LISTED),
    "average_level": Gauge("weighted_sum_agg", "v", recurring=True, listed=LISTED),
}
ONE = {"amount": "1"}
PRICES = {
    "split": Price("standard", ONE, [({"cloud": [name]}, ONE) for name in ("aws", "gcp")]),
    "whole": Price("standard", ONE),
    "prorated": Price("standard", ONE, prorated=True),
}
VALUES = [7, "7", -3, "0.000000000000001", "12.5", 0, "ten", "1e2", "Zoë 東京", None]

Drawn = dict[str, Any]
instants = st.one_of(
    st.builds(
        lambda day, ms: EARLIEST + timedelta(days=day, milliseconds=ms), st.integers(0, 45), st.integers(0, 86_399_999)
    ),
    st.builds(
        lambda edge, ms: edge + timedelta(milliseconds=ms),
        st.sampled_from([JANUARY.start, JANUARY.end]),
        st.integers(-1, 1),
    ),
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(list(METRICS)),
            "at": instants,
            "v": st.sampled_from(VALUES),
            "operation_type": st.sampled_from([None, "add", "remove", "remove"]),
            "cloud": st.sampled_from(["aws", "gcp", "AWS", None]),
        }
    ),
    min_size=40,
    max_size=100,
    unique_by=lambda event: event["at"],  # Of one instant the order of reception decides.
)


def properties_of(event: Drawn) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("code", "at") and value is not None}


def sent(event: Drawn, number: int, subscription: str) -> dict[str, Any]:
    """An event as a request has it."""
    return {
        "transaction_id": f"{subscription}-{number}",
        "external_subscription_id": subscription,
        "code": event["code"],
        "timestamp": f"{event['at'].timestamp():.3f}",
        "properties": properties_of(event),
    }


def set_up(story: Story, code: str) -> list[dict[str, Any]]:
    """Make a metric; its charges."""
    gauge = METRICS[code]
    weighted = {"weighted_interval": "seconds"} if gauge.kind == "weighted_sum_agg" else {}
    listed = [{"key": key, "values": values} for key, values in gauge.listed.items()]
    named = {"field_name": gauge.field_name, "recurring": gauge.recurring, "filters": listed}
    metric = story.metric(code, gauge.kind, **named, **weighted)
    names = [*PRICES] if code in ("level", "held") else ["split", "whole"]
    filters = {
        name: [{"values": values, "properties": own} for values, own in price.filters] for name, price in PRICES.items()
    }
    return [
        priced(metric, code=f"{code} {name}", filters=filters[name], prorated=PRICES[name].prorated) for name in names
    ]


def test_usage_is_what_a_recount_gives(aws):
    story = Story.begin(at="2024-01-05T09:30:00Z")
    story.plan(charges=[charge for code in METRICS for charge in set_up(story, code)])
    story.customer()
    numbers = itertools.count(1)

    @settings(max_examples=examples(5), phases=[Phase.generate], database=None)
    @given(drawn=events, data=st.data())
    def check(drawn: list[Drawn], data: st.DataObject) -> None:
        subscription = f"sub{next(numbers)}"
        story.subscribe(external_id=subscription)
        bodies = [sent(event, n, subscription) for n, event in enumerate(drawn)]
        again = data.draw(st.lists(st.sampled_from(bodies), max_size=30))
        left = data.draw(st.randoms(use_true_random=False)).sample([*bodies, *again], len(bodies) + len(again))
        while left:
            size = data.draw(st.sampled_from([1, 7, 40, 100]))
            story.ok("POST", "/events/batch", {"events": left[:size]})
            left = left[size:]
            if data.draw(st.booleans()):
                meter()
        agrees(story.usage(subscription), drawn)

    check()


def agrees(usage: dict[str, Any], drawn: Sequence[Drawn]) -> None:
    """Usage and recount say the same of each charge, by its filters."""
    for shown in usage["charges_usage"]:
        code, name = shown["charge"]["code"].split()
        facts = [Fact(event["at"], ("", ""), properties_of(event)) for event in drawn if event["code"] == code]
        own = {line.filter: line for line in lines(METRICS[code], PRICES[name], facts, JANUARY)}
        order = [*range(len(PRICES[name].filters)), None]
        found = [figures(each) for each in shown["filters"] or [shown]]
        assert found == [figures_of(own[n]) for n in order], shown["charge"]["code"]


Figures = tuple[Fraction, int, int]


def figures(shown: dict[str, Any]) -> Figures:
    return Fraction(shown["units"]), shown["events_count"], shown["amount_cents"]


def figures_of(line: Line) -> Figures:
    return line.units, line.events_count, line.cents
