"""Current usage of charges in advance says what was charged, over HTTP: where events take something away, where metrics round
their units, of each filter and group, and of what recurs. Source: decisions/0018."""

import pytest

from tests.support.charging import tiers, ts
from tests.support.in_advance import JANUARY_2, advance, cents, charged_one_by_one, shown, summed, unique
from tests.support.story import Story, meter, work

PACKAGES = {"amount": "10", "package_size": 10, "free_units": 0}
TEN_PERCENT = {"rate": "10"}
RISING = {"graduated_ranges": tiers((0, 1, "1", "0"), (2, None, "10", "0"))}

IN_ORDER = [
    pytest.param("percentage", TEN_PERCENT | {"fixed_amount": "1"}, (100, -50, 30, 40), (1100, 0, 0, 300), id="14.00"),
    pytest.param(
        "percentage",
        TEN_PERCENT | {"per_transaction_min_amount": "1"},
        (100, -50, 30, 40),
        (1000, 0, 0, 400),
        id="at least 1: 14.00",
    ),
    pytest.param(
        "percentage",
        TEN_PERCENT | {"per_transaction_max_amount": "5"},
        (100, -50, 30, 40),
        (500, 0, 0, 400),
        id="at most 5: 9.00",
    ),
    pytest.param(
        "percentage",
        TEN_PERCENT | {"free_units_per_total_aggregation": "500", "fixed_amount": "1"},
        (100, -50, 60, 500),
        (0, 0, 0, 1200),
        id="500 free: 110 of 610, and one fixed amount",
    ),
    pytest.param("graduated", RISING, (1, -1, 2), (100, 0, 1000), id="tiers: the second unit only is new"),
    pytest.param("package", PACKAGES, (10, -5, 6), (1000, 0, 1000), id="packages: the eleventh unit"),
    pytest.param("standard", {"amount": "1"}, (-4, 3, 2), (0, 0, 100), id="nothing below 0 is paid"),
]


@pytest.mark.parametrize(("model", "properties", "values", "expected"), IN_ORDER)
def test_current_usage_says_what_was_charged(story, model, properties, values, expected):
    story.plan(charges=[advance(summed(story), properties, model)])
    story.subscribe()
    for n, value in enumerate(values):
        charged_one_by_one(story, "gb", n, n=value)
    assert cents(story) == list(expected)
    assert shown(story) == sum(expected)


def test_a_dynamic_charge_says_what_was_charged(story):
    """3, -1 and 4 units that bring 1.00 each: the second is charged nothing, though it brings its price."""
    story.plan(charges=[advance(summed(story), {}, "dynamic")])
    story.subscribe()
    for n, value in enumerate((3, -1, 4)):
        body = {
            "transaction_id": f"tx-{n}",
            "external_subscription_id": "sub",
            "code": "gb",
            "properties": {"n": value},
        }
        story.ok(
            "POST", "/events", {"event": {**body, "timestamp": JANUARY_2 + n, "precise_total_amount_cents": "100"}}
        )
    assert cents(story) == [100, 0, 100]
    assert shown(story) == 200


@pytest.mark.parametrize(("function", "units"), [("round", "1.0"), ("ceil", "1.0"), ("floor", "0.0")])
def test_units_are_shown_rounded_and_charged_as_they_are(story, function, units):
    """0.4 and 0.4 at 1.00: fees of 0.40 each, as single events are not rounded."""
    story.plan(charges=[advance(summed(story, rounding_function=function))])
    story.subscribe()
    for n in range(2):
        charged_one_by_one(story, "gb", n, n="0.4")
    assert cents(story) == [40, 40]
    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == (units, 80)


def test_each_filter_and_group_says_what_it_was_charged(story):
    """Amounts stand beside their own units where rollups and single events name groups in different order."""
    gb = summed(story, filters=[{"key": "cloud", "values": ["aws", "gcp"]}])
    charge = advance(gb, {"amount": "1", "pricing_group_keys": ["user"]})
    charge["filters"] = [{"values": {"cloud": ["aws"]}, "properties": {"amount": "2", "pricing_group_keys": ["user"]}}]
    story.plan(charges=[charge])
    story.subscribe()
    sent = [("gcp", "z", 5), ("aws", "b", 3), ("gcp", "a", 7), ("gcp", "z", -4), ("aws", "a", 1), ("gcp", "z", 2)]
    for n, (cloud, user, value) in enumerate(sent):
        charged_one_by_one(story, "gb", n, cloud=cloud, user=user, n=value)
    assert cents(story) == [500, 600, 700, 0, 200, 0]
    groups = {
        (group["grouped_by"]["user"], tuple(part["values"] or ())): (part["units"], part["amount_cents"])
        for group in story.usage()["charges_usage"][0]["grouped_usage"]
        for part in group["filters"]
    }
    assert groups == {
        ("z", ()): ("3.0", 500),
        ("b", ("cloud",)): ("3.0", 600),
        ("a", ()): ("7.0", 700),
        ("a", ("cloud",)): ("1.0", 200),
    }
    assert shown(story) == 2000


def test_units_held_before_a_subscription_are_renewed_but_were_not_charged_in_its_first_period(aws):
    """Two seats of before: free until the first renewal; then 10.00 each. A third one is charged at once."""
    story = Story.begin(at="2024-01-10T00:00:00Z")
    story.plan(charges=[advance(unique(story, recurring=True), {"amount": "10"})])
    for n in range(2):
        story.use("users", at=ts("2024-01-03T00:00:00"), id=f"u{n}")
    meter()
    story.subscribe()
    story.use("users", at=ts("2024-01-10T00:00:00"), id="u9")
    assert cents(story) == [1000]
    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == ("3.0", 1000)
    story.travel("2024-02-01T00:00:00Z")
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [1000, 3000]
    assert shown(story) == 3000


@pytest.mark.parametrize(
    ("kind", "metric", "charge", "january", "february", "expected"),
    [
        pytest.param(
            "sum_agg",
            {"rounding_function": "ceil"},
            {"properties": {"amount": "10"}},
            ["2.5"],
            ["0.5", "-1", "2"],
            (3000, 500, 0, 1000),
            id="3 units for 2.5 held are renewed; single events are not rounded",
        ),
        pytest.param(
            "unique_count_agg",
            {},
            {"model": "percentage", "properties": TEN_PERCENT | {"fixed_amount": "1"}},
            ["a", "-a", "b"],
            ["c", "-b", "b"],
            (110, 110, 0, 0),
            id="one value of three moves is renewed",
        ),
        pytest.param(
            "sum_agg",
            {},
            {"properties": {"amount": "28"}, "prorated": True},
            ["1", "-3"],
            ["1", "3"],
            (0, 0, 5600),
            id="nothing is held below 0, and the level begins there: 2 are new",
        ),
    ],
)
def test_usage_of_what_recurs_says_what_was_renewed_and_charged(aws, kind, metric, charge, january, february, expected):
    story = Story.begin(at="2023-01-01T00:00:00Z")
    own = story.metric("held", kind, field_name="v", recurring=True, **metric)
    story.plan(charges=[advance(own, **charge)])
    story.subscribe()

    def send(month: str, values: list[str]) -> None:
        for n, value in enumerate(values):
            removes = kind == "unique_count_agg" and value.startswith("-")
            properties = {
                "v": value.removeprefix("-") if removes else value,
                "operation_type": "remove" if removes else "add",
            }
            story.use("held", at=ts(f"2023-{month}-01T00:00:00") + n, **properties)
            meter()
            work()

    send("01", january)
    story.travel("2023-02-01T00:00:00Z")
    send("02", february)
    fees = [fee for i in story.invoices() for fee in i["fees"] if fee["from_date"][:7] == "2023-02"]
    amounts = sorted(fee["amount_cents"] for fee in fees)
    assert amounts == sorted(cents for n, cents in enumerate(expected) if cents or n)
    assert shown(story) == sum(expected)
