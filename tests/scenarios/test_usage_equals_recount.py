"""A law: usage read over HTTP is what a naive recount of the events gives, in whatever order, how often and in whatever
batches they were sent. Source: usage.md sections 1 to 4."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.charging import priced
from tests.support.exact_numbers import exact_numbers
from tests.support.story import Story, meter

BEGINS, ENDS = datetime(2024, 1, 5, 9, 30, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
DAYS = [date(2024, 1, 5) + timedelta(days=n) for n in range(27)]
OF_DAYS = 31
EARLIEST = datetime(2023, 12, 20, tzinfo=UTC)
CLOUDS = [{"key": "cloud", "values": ["aws", "gcp"]}]
FILTERS = [{"values": {"cloud": [name]}, "properties": {"amount": "1"}} for name in ("aws", "gcp")]
WEIGHTED = {"weighted_interval": "seconds"}
METRICS: dict[str, tuple[str, dict[str, Any]]] = {
    "count": ("count_agg", {}),
    "sum": ("sum_agg", {}),
    "level": ("sum_agg", {"recurring": True}),
    "max": ("max_agg", {}),
    "latest": ("latest_agg", {}),
    "unique": ("unique_count_agg", {}),
    "held": ("unique_count_agg", {"recurring": True}),
    "average": ("weighted_sum_agg", WEIGHTED),
    "average_level": ("weighted_sum_agg", {**WEIGHTED, "recurring": True}),
}
LASTING = {"level", "held", "average_level"}
PRORATED = ("level", "held")
# A value as it is sent, the number in it (None: it is none), and the text by which it is told from others.
VALUES: list[tuple[Any, Decimal | None, str | None]] = [
    (7, Decimal(7), "7"),
    ("7", Decimal(7), "7"),
    (-3, Decimal(-3), "-3"),
    ("0.000000000000001", Decimal("0.000000000000001"), "0.000000000000001"),
    ("12.5", Decimal("12.5"), "12.5"),
    (0, Decimal(0), "0"),
    ("ten", None, "ten"),
    ("1e2", None, "1e2"),
    ("Zoë 東京", None, "Zoë 東京"),
    (None, None, None),
]

Drawn = dict[str, Any]
instants = st.one_of(
    st.builds(
        lambda day, ms: EARLIEST + timedelta(days=day, milliseconds=ms), st.integers(0, 45), st.integers(0, 86_399_999)
    ),
    st.sampled_from([BEGINS, BEGINS - timedelta(milliseconds=1), ENDS, ENDS - timedelta(milliseconds=1)]),
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "code": st.sampled_from(list(METRICS)),
            "at": instants,
            "value": st.sampled_from(VALUES),
            "operation": st.sampled_from([None, "add", "remove", "remove"]),
            "cloud": st.sampled_from(["aws", "gcp", "AWS", None]),
        }
    ),
    min_size=40,
    max_size=100,
    unique_by=lambda event: event["at"],  # Of one instant the order of reception decides.
)


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    with exact_numbers():
        yield


def sent(event: Drawn, number: int, subscription: str) -> dict[str, Any]:
    """An event as a request has it."""
    properties = {"v": event["value"][0], "cloud": event["cloud"], "operation_type": event["operation"]}
    return {
        "transaction_id": f"{subscription}-{number}",
        "external_subscription_id": subscription,
        "code": event["code"],
        "timestamp": f"{event['at'].timestamp():.3f}",
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def recounted(code: str, own: Sequence[Drawn]) -> tuple[Decimal, int]:
    """(units, number of events) of events in order of time."""
    numbers = [event["value"][1] for event in own if event["value"][1] is not None]
    if code == "count":
        return Decimal(len(own)), len(own)
    if code in ("sum", "level"):
        return max(Decimal(0), sum(numbers, Decimal(0))), len(numbers)
    if code == "max":
        return max([Decimal(0), *numbers]), len(numbers)
    if code == "latest":
        return max(Decimal(0), numbers[-1] if numbers else Decimal(0)), len(numbers)
    if code in ("unique", "held"):
        last = {event["value"][2]: event["operation"] for event in own if event["value"][2] is not None}
        active = sum(operation != "remove" for operation in last.values())
        return Decimal(active), active
    inside = [event for event in own if event["value"][1] is not None and event["at"] >= BEGINS]
    # Each value lasts from its instant, or from the beginning, to the end.
    weighed = sum(
        Fraction(event["value"][1]) * round((ENDS - max(event["at"], BEGINS)).total_seconds() * 1000)
        for event in own
        if event["value"][1] is not None
    )
    return max(Decimal(0), raised(Fraction(weighed) / (OF_DAYS * 86_400_000), 20)), len(inside)


def prorated_cents(code: str, own: Sequence[Drawn]) -> int:
    """The amount of units that were held for some of the days, at 1.00."""
    if code == "held":
        days = Fraction(len(days_held(own)))
    else:
        days = sum(
            (
                Fraction(event["value"][1]) * sum(day >= event["at"].date() for day in DAYS)
                for event in own
                if event["value"][1] is not None
            ),
            Fraction(0),
        )
    units = raised(days / OF_DAYS, 5)
    below = code == "level" and sum((e["value"][1] or Decimal(0) for e in own), Decimal(0)) < 0
    return 0 if below else int((max(Decimal(0), units) * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def days_held(own: Sequence[Drawn]) -> set[tuple[str, date]]:
    """The days on which each value was active at some time of the period."""
    found: set[tuple[str, date]] = set()
    for value in {event["value"][2] for event in own} - {None}:
        added: datetime | None = None
        for event in [
            *(e for e in own if e["value"][2] == value),
            {"operation": "remove", "at": ENDS - timedelta.resolution},
        ]:
            if event["operation"] != "remove":
                added = added or event["at"]
            elif added is not None:
                if event["at"] >= BEGINS:
                    found |= {(value, day) for day in DAYS if max(added, BEGINS).date() <= day <= event["at"].date()}
                added = None
    return found


def raised(number: Fraction, places: int) -> Decimal:
    """A fraction brought up to some decimals."""
    return Decimal(-((-number.numerator * 10**places) // number.denominator)).scaleb(-places)


def test_usage_is_what_a_recount_gives(aws):
    story = Story.begin(at="2024-01-05T09:30:00Z")
    charges = []
    for code, (kind, more) in METRICS.items():
        own = {} if kind == "count_agg" else {"field_name": "v"}
        metric = story.metric(code, kind, filters=CLOUDS, **own, **more)
        charges += [priced(metric, code=f"{code} split", filters=FILTERS), priced(metric, code=f"{code} whole")]
        charges += [priced(metric, code=f"{code} prorated", prorated=True)] if code in PRORATED else []
    story.plan(charges=charges)
    story.customer()
    numbers = itertools.count(1)

    @settings(max_examples=5, phases=[Phase.generate], database=None)
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
        with localcontext(prec=60):
            agrees(story.usage(subscription), sorted(drawn, key=lambda event: event["at"]))

    check()


def agrees(usage: dict[str, Any], drawn: Sequence[Drawn]) -> None:
    """Usage and recount say the same of each charge, by its filters."""
    for shown in usage["charges_usage"]:
        code = shown["billable_metric"]["code"]
        own = [e for e in drawn if e["code"] == code and e["at"] < ENDS and (code in LASTING or e["at"] >= BEGINS)]
        if shown["charge"]["code"].endswith("prorated"):
            assert shown["amount_cents"] == prorated_cents(code, own), code
        parts = [("all", own)] if not shown["filters"] else []
        for each in shown["filters"]:
            names = each["values"]["cloud"] if each["values"] else ["AWS", None]
            parts.append((names[0], [event for event in own if event["cloud"] in names]))
        found = [(each["units"], each["events_count"]) for each in shown["filters"] or [shown]]
        expected = [recounted(code, members) for _, members in parts]
        assert [(Decimal(units), count) for units, count in found] == expected, (code, [name for name, _ in parts])
