"""Quantities of any size that occurs, billed exactly; one that cannot be counted is told of. Source: rules/usage 1.2."""

import json

import pytest

from tests.support.charging import Case, assert_agrees, bills, moves, priced, tiers, ts, use_many, values
from tests.support.in_advance import advance, paid
from tests.support.messages import messages
from tests.support.story import Story, work

PETABYTE, LARGEST = 10**15, f"{'9' * 23}.{'9' * 15}"
PER_GB = {"properties": {"amount": "0.000000001"}}
WEIGHTED = {"weighted_interval": "seconds"}

CASES = [
    Case("petabyte", "sum_agg", values(("09-02", PETABYTE)), [(f"{PETABYTE}.0", 1, 100_000_000)], {}, PER_GB),
    Case("as_text", "sum_agg", values(("09-02", str(PETABYTE))), [(f"{PETABYTE}.0", 1, 100_000_000)], {}, PER_GB),
    Case(
        "just_below",
        "sum_agg",
        values(("09-02", PETABYTE - 1), ("09-03", 1)),
        [(f"{PETABYTE}.0", 2, 100_000_000)],
        {},
        PER_GB,
    ),
    # 10^18 and the smallest decimal: 33 digits; as many of them that 38 digits hold no sum.
    Case(
        "exabyte",
        "sum_agg",
        values(("09-02", f"{10**18}.000000000000001"), ("09-03", "0.000000000000001")),
        [(f"{10**18}.000000000000002", 2, 100_000_000_000)],
        {},
        PER_GB,
    ),
    Case(
        "largest",
        "sum_agg",
        values(*[("09-02", LARGEST)] * 60),
        # 60 x 10^23 less 60 x 10^-15.
        [(f"5{'9' * 24}.99999999999994", 60, 600_000_000_000_000_000)],
        {},
        PER_GB,
    ),
    Case("negative", "sum_agg", values(("09-02", LARGEST), ("09-03", f"-{LARGEST}"), ("09-04", 7)), [("7.0", 3, 700)]),
    Case("max", "max_agg", values(("09-02", 10**18), ("09-03", 7)), [(f"{10**18}.0", 2, 100_000_000_000)], {}, PER_GB),
    Case(
        "latest",
        "latest_agg",
        values(("09-02", 7), ("09-03", 10**18)),
        [(f"{10**18}.0", 2, 100_000_000_000)],
        {},
        PER_GB,
    ),
    # Ten of thirty days, and twice as much for ten more.
    Case(
        "weighted",
        "weighted_sum_agg",
        values(("09-11", 3 * 10**18), ("09-21", 3 * 10**18)),
        [(f"3{'0' * 18}.0", 2, 300_000_000_000)],
        WEIGHTED,
        PER_GB,
    ),
    Case(
        "tiers",
        "sum_agg",
        values(("09-02", 10**18)),
        [(f"{10**18}.0", 1, 100_000_000_000 + 1000)],
        {},
        {
            "model": "graduated",
            "properties": {
                "graduated_ranges": tiers((0, 10**12, "0.000000001", "0"), (10**12 + 1, None, "0.000000001", "10"))
            },
        },
    ),
    Case(
        "percent",
        "sum_agg",
        values(("09-02", 10**18), ("09-03", 10**18)),
        [(f"2{'0' * 18}.0", 2, 10_000)],
        {},
        {"model": "percentage", "properties": {"rate": "0.00000000000001", "per_transaction_max_amount": "50"}},
    ),
    Case(
        "recurs",
        "sum_agg",
        values(("08-15", 10**18)),
        [(f"{10**18}.0", 1, 100_000_000_000)],
        {"recurring": True},
        PER_GB,
    ),
    Case(
        "days",
        "sum_agg",
        values(("09-16", 2 * 10**18)),
        [(f"2{'0' * 18}.0", 1, 100_000_000_000)],
        {"recurring": True},
        PER_GB | {"prorated": True},
    ),
    Case("named", "unique_count_agg", moves(("09-02", str(10**40), "add")), [("1.0", 1, 100)]),
]


def test_large_quantities_are_billed_exactly(aws):
    """As current usage and on the invoice, from rollups or from single events."""
    story = Story.begin(at="2024-09-01T00:00:00Z")
    story.plan(charges=[case.set_up(story) for case in CASES])
    story.customer()
    story.subscribe()
    use_many(story, [event for case in CASES for event in case.sent()])
    story.travel("2024-09-30T23:00:00Z")
    usage = story.usage()
    story.travel("2024-10-01T00:00:00Z")
    (september,) = bills(story)
    for case in CASES:
        assert (case.code, september.lines(case.code)) == (case.code, case.expected)
    assert_agrees(usage, september)


def test_a_formula_may_have_a_large_result(story):
    metric = story.metric("ns", "sum_agg", field_name="ns", expression="event.properties.days * 86400 * 1000000000")
    story.plan(charges=[priced(metric, properties={"amount": "0.000000001"})])
    story.customer()
    story.subscribe()
    story.use("ns", at=ts("2024-01-02"), days=14)  # Two weeks: 1,209,600 s.
    (charge,) = story.usage()["charges_usage"]
    assert (charge["units"], charge["amount_cents"]) == ("1209600000000000.0", 120_960_000)


def test_events_in_advance_may_be_large(story):
    metric = story.metric("b", "sum_agg", field_name="v")
    story.plan(charges=[advance(metric, {"amount": "0.000000001"})])
    story.customer()
    story.subscribe()
    for value in (PETABYTE, -PETABYTE, 10**18):
        story.use("b", at=ts("2024-01-01"), v=value)
    assert paid(story)[0] == (f"{PETABYTE}.0", 100_000_000)
    assert sum(cents for _, cents in paid(story)) == 100_000_000_000
    assert story.usage()["charges_usage"][0]["amount_cents"] == 100_000_000_000


def test_prices_that_large_events_bring_along_add_up(story):
    metric = story.metric("b", "sum_agg", field_name="v")
    story.plan(charges=[priced(metric, "dynamic", {})])
    story.customer()
    story.subscribe()
    cents = [f"1{'0' * 24}.5", "0.000000000000001", f"-1{'0' * 24}", "100"]
    use_many(story, [{"code": "b", "at": "2024-01-02", "v": 1, "cents": each} for each in cents])
    (charge,) = story.usage()["charges_usage"]
    assert (charge["units"], charge["amount_cents"]) == ("4.0", 101)  # 100.500000000000001.


# What cannot be counted.

TOO_MUCH = [
    pytest.param({"v": 10**23}, id="a number"),
    pytest.param({"v": str(10**23)}, id="a text"),
    pytest.param({"v": f"{LARGEST}5"}, id="rounded up to it"),
    pytest.param({"v": -(10**40)}, id="negative"),
    pytest.param({"v": 10**500}, id="hundreds of digits"),
    pytest.param({"v": "0.0000000000000001"}, id="so little that it would be nothing"),
]


@pytest.mark.parametrize("properties", TOO_MUCH)
@pytest.mark.parametrize("kind", ["sum_agg", "max_agg", "latest_agg", "weighted_sum_agg"])
def test_what_cannot_be_counted_is_told_of(story, kind, properties):
    story.metric("m", kind, field_name="v", **(WEIGHTED if kind == "weighted_sum_agg" else {}))
    assert_told(story, properties)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        pytest.param("event.properties.a * 1000000000000", 10**12, id="too much"),
        pytest.param("event.properties.a / 1000000000000000000", 1, id="too little"),
    ],
)
def test_a_result_that_cannot_be_counted_is_told_of(story, expression, value):
    story.metric("m", "sum_agg", field_name="v", expression=expression)
    assert_told(story, {"a": value})


def assert_told(story: Story, properties: dict[str, object]) -> None:
    body = {"webhook_url": "http://127.0.0.1:9/hook", "event_types": ["events.errors"]}
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": body})
    odd = story.use("m", at=ts("2024-01-01"), **properties)
    counted = story.use("m", at=ts("2024-01-01"), **dict.fromkeys(properties, 5 * 10**17))
    zero = story.use("m", at=ts("2024-01-01"), **dict.fromkeys(properties, 0))
    story.travel("2024-01-01T01:00:00Z")
    warnings = {each["transaction_id"]: each["warnings"] for each in story.ok("GET", "/event_logs")["event_logs"]}
    if "a" not in properties:
        assert warnings == {odd: ["property_mismatch"], counted: [], zero: []}
    assert warnings[odd] == ["property_mismatch"]
    work()
    (message,) = messages(story.ref.id)
    assert odd in json.loads(message.payload)["events_errors"]["missing_aggregation_property"]
