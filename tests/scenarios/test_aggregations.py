"""Every metered aggregation over HTTP, and which period an event belongs to. Source: rules/usage 1.4, 2, 3."""

from typing import Any

from tests.support.charging import Case, assert_agrees, bills, moves, priced, tiers, use_many, values
from tests.support.story import Story


def in_september(*listed: Any) -> list[tuple[str, dict[str, Any]]]:
    """One value a day from the 2nd on."""
    return values(*((f"09-{n:02}", value) for n, value in enumerate(listed, 2)))


WEIGHTED = {"weighted_interval": "seconds"}
PAGES = [("09-02", {"user": "u1", "pages": 10}), ("09-03", {"user": "u1", "pages": 20})]

METERED = [
    # The example of rules/usage 3.
    Case("ex_count", "count_agg", PAGES, [("2.0", 2, 200)]),
    Case("ex_sum", "sum_agg", PAGES, [("30.0", 2, 3000)], {"field_name": "pages"}),
    Case("ex_count 2 #größe/%", "count_agg", PAGES, [("2.0", 2, 200)]),
    Case("ex_max", "max_agg", PAGES, [("20.0", 2, 2000)], {"field_name": "pages"}),
    Case("ex_latest", "latest_agg", PAGES, [("20.0", 2, 2000)], {"field_name": "pages"}),
    Case("ex_unique", "unique_count_agg", PAGES, [("1.0", 1, 100)], {"field_name": "user"}),
    # Sums: numbers as text, 15 decimals, negative values; what is no number is not seen.
    Case("sum_texts", "sum_agg", in_september("1.5", 2, 0.25, "-0.75", "007"), [("10.0", 5, 1000)]),
    Case("sum_decimals", "sum_agg", in_september(*["0.333333333333333"] * 3), [("0.999999999999999", 3, 100)]),
    Case(
        "sum_large",
        "sum_agg",
        in_september("999999999999.999999999999999", 1),
        [("1000000000000.999999999999999", 2, 100000000000100)],
    ),
    Case(
        "sum_wrong", "sum_agg", in_september("x", "1e3", " 5", "", True, None, [1], {"a": 1}, "٣", 4), [("4.0", 1, 400)]
    ),
    Case(
        "sum_negative",
        "sum_agg",
        in_september(2, -5),
        [("0.0", 2, 0)],
        {},
        {"model": "graduated", "properties": {"graduated_ranges": tiers((0, None, "1", "7"))}},
    ),
    Case("sum_zero", "sum_agg", in_september(5, -5), [("0.0", 2, 0)]),
    Case("max_negative", "max_agg", in_september(-5, -3), [("0.0", 2, 0)]),
    Case("max_wrong", "max_agg", in_september("9x", "7", 3), [("7.0", 2, 700)]),
    # Latest: by timestamp, whatever comes in last; of one instant the one received last.
    Case("latest_order", "latest_agg", values(("09-20", 3), ("09-10", 9)), [("3.0", 2, 300)]),
    Case("latest_same", "latest_agg", values(("09-20", 3), ("09-20", 9)), [("9.0", 2, 900)]),
    Case("latest_negative", "latest_agg", in_september(5, -1), [("0.0", 2, 0)]),
    Case("latest_wrong", "latest_agg", in_september(5, "none"), [("5.0", 1, 500)]),
    # Unique values: added and removed.
    Case("twice", "unique_count_agg", moves(("09-02", "a", "add"), ("09-03", "a", "add")), [("1.0", 1, 100)]),
    Case("left", "unique_count_agg", moves(("09-02", "a", None), ("09-03", "a", "remove")), []),
    Case("never", "unique_count_agg", moves(("09-02", "a", "remove")), []),
    Case(
        "back",
        "unique_count_agg",
        moves(("09-02", "a", "add"), ("09-03", "a", "remove"), ("09-04", "a", "add")),
        [("1.0", 1, 100)],
    ),
    Case("early_leave", "unique_count_agg", moves(("09-02", "a", "remove"), ("09-03", "a", "add")), [("1.0", 1, 100)]),
    Case("unordered", "unique_count_agg", moves(("09-04", "a", "remove"), ("09-03", "a", "add")), []),
    Case(
        "as_text",
        "unique_count_agg",
        in_september(1, "1", "01", True, "true", None, "Zoë", "東京", "zoë"),
        [("6.0", 6, 600)],
    ),
    # Weighted sum, worked: (0 x 10 + 10 x 10 + 6 x 10) / 30.
    Case(
        "weighted",
        "weighted_sum_agg",
        values(("09-11", 10), ("09-21", "-4")),
        [("5.33333333333333333334", 2, 533)],
        WEIGHTED,
    ),
    # Rounding of units.
    Case(
        "ceil",
        "sum_agg",
        in_september("5.333"),
        [("5.4", 1, 540)],
        {"rounding_function": "ceil", "rounding_precision": 1},
    ),
    Case("floor", "sum_agg", in_september("5.333"), [("5.0", 1, 500)], {"rounding_function": "floor"}),
    Case(
        "round",
        "sum_agg",
        in_september("5.333"),
        [("5.33", 1, 533)],
        {"rounding_function": "round", "rounding_precision": 2},
    ),
    Case(
        "half",
        "sum_agg",
        in_september("5.335"),
        [("5.34", 1, 534)],
        {"rounding_function": "round", "rounding_precision": 2},
    ),
    Case(
        "hundreds",
        "sum_agg",
        in_september(5350),
        [("5400.0", 1, 540000)],
        {"rounding_function": "round", "rounding_precision": -2},
    ),
    Case("round_all", "sum_agg", in_september("0.4", "0.4", "0.4"), [("1.0", 3, 100)], {"rounding_function": "round"}),
    Case(
        "ceil_average",
        "weighted_sum_agg",
        values(("09-11", 10), ("09-21", -4)),
        [("6.0", 2, 600)],
        {**WEIGHTED, "rounding_function": "ceil"},
    ),
]


def test_metered_units_of_a_month(aws):
    """All metered aggregations on one subscription: usage first, then the same on the invoice, then nothing."""
    story = Story.begin(at="2024-09-01T00:00:00Z")
    story.plan(charges=[case.set_up(story) for case in METERED])
    story.customer()
    story.subscribe()
    sent = [event for case in METERED for event in case.sent()]
    outside = [
        {"code": "ex_count", "at": "2024-08-31T23:59:59.999"},  # Before the subscription.
        {"code": "ex_count", "at": "2024-09-10", "sub": "SUB"},  # Another one.
        {"code": "EX_COUNT", "at": "2024-09-10"},
        {"code": "ex_count", "at": "2024-10-01"},  # The first instant of the next period.
        {"code": "ex_sum", "at": "2024-11-05", "pages": 7},  # The future.
    ]
    use_many(story, [*sent, *outside])
    story.travel("2024-09-30T12:00:00Z")
    usage = story.usage()
    shown = {each["billable_metric"]["code"]: each for each in usage["charges_usage"]}
    for case in METERED:
        units, count, cents = case.expected[0] if case.expected else ("0.0", 0, 0)
        of = shown[case.code]
        assert (case.code, of["units"], of["events_count"], of["amount_cents"]) == (case.code, units, count, cents)
    assert shown["weighted"]["total_aggregated_units"] == "6.0"
    story.travel("2024-12-01T00:00:00Z")
    september, october, november = bills(story)
    assert_agrees(usage, september)
    assert {case.code: september.lines(case.code) for case in METERED} == {c.code: c.expected for c in METERED}
    assert [fee["item"]["code"] for fee in september.fees] == [case.code for case in METERED if case.expected]
    assert september.one("weighted")["total_aggregated_units"] == "6.0"
    assert september.one("sum_decimals")["precise_amount"] == "0.999999999999999"
    assert {f["from_date"] + f["to_date"] for f in september.fees} == {"2024-09-01T00:00:00Z2024-09-30T23:59:59Z"}
    flat = ("sum_negative", "0.0", 0, 700)  # Without events the first tier's flat amount; below 0 not even that.
    assert october.rows == [("ex_count", "1.0", 1, 100), flat]
    assert november.rows == [("ex_sum", "7.0", 1, 700), flat]


def test_metered_events_are_never_billed_late_and_a_draft_takes_them(aws):
    story = Story.begin(at="2024-09-01T00:00:00Z")
    story.organization(billing_configuration={"invoice_grace_period": 3})
    sums, most = story.metric("sums", "sum_agg", field_name="v"), story.metric("most", "max_agg", field_name="v")
    story.plan(charges=[priced(sums), priced(most)])
    story.customer()
    story.subscribe()
    use_many(story, [{"code": code, "at": "2024-09-10", "v": 1} for code in ("sums", "most")])
    story.travel("2024-10-02T00:00:00Z")
    use_many(story, [{"code": code, "at": "2024-09-11", "v": 2} for code in ("sums", "most")])
    story.travel("2024-10-05T00:00:00Z")
    (september,) = bills(story)
    assert (september.cents("sums"), september.cents("most")) == ([300], [200])
    use_many(story, [{"code": code, "at": "2024-09-12", "v": 4} for code in ("sums", "most")])
    story.travel("2024-11-05T00:00:00Z")
    september, october = bills(story)
    assert (september.cents("sums"), september.cents("most")) == ([300], [200])
    assert october.fees == []


def test_what_begins_within_a_period_counts_from_there(aws):
    """L is the whole period for a subscription that starts inside it; events sent before it exists are taken too."""
    story = Story.begin(at="2024-03-05T00:00:00Z")
    average = story.metric("average", "weighted_sum_agg", field_name="v", weighted_interval="seconds")
    level = story.metric("level", "sum_agg", field_name="v", recurring=True)
    calls = story.metric("calls")
    story.plan(charges=[priced(average), priced(level, prorated=True), priced(calls)])
    story.customer()
    early = [{"code": "average", "at": "2024-03-05", "v": 2500}, {"code": "level", "at": "2024-02-01", "v": 31}]
    calls_at = (
        "2024-03-04T23:59:59.999",
        "2024-03-05T00:00:00.000",
        "2024-03-05T00:00:00.500",
        "2024-03-31T23:59:59.999",
    )
    use_many(story, [*early, *({"code": "calls", "at": at} for at in calls_at)])
    story.subscribe(subscription_at="2024-03-05T00:00:00Z")
    story.travel("2024-04-01T00:00:00Z")
    (march,) = bills(story)
    assert march.cents("average") == [217742]  # 2500 x 27/31
    assert march.lines("level") == [("31.0", 1, 2700)]
    assert march.lines("calls") == [("3.0", 3, 300)]
