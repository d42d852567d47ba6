"""Recurring metrics over HTTP: levels that stay from period to period, prorated or not, through ends and changes of plan.
Source: rules/usage 3.1 to 3.4, 6.9; rules/billing-periods 7.1."""

import pytest

from tests.support.charging import Case, assert_agrees, bills, last_bill, moves, priced, tiers, use_many, values
from tests.support.story import Story

WEIGHTED = {"weighted_interval": "seconds"}
RECURRING = {"recurring": True}
THIRTY = {"properties": {"amount": "30"}}
PRORATED = {"prorated": True}
FIVE_USERS = moves(*((f"09-{n}", f"u{n}", "add") for n in range(11, 16)))
SUM_STEPS = values(("08-15", 5), ("09-11", 3), ("09-21", -2))
STEEP = {
    "model": "graduated",
    "properties": {"graduated_ranges": tiers((0, 5, "10", "100"), (6, 15, "5", "50"), (16, None, "2", "0"))},
}
SEATS = {"model": "graduated", "properties": {"graduated_ranges": tiers((0, 1, "10", "100"), (2, None, "5", "50"))}}
PLAIN = {"model": "graduated", "properties": {"graduated_ranges": tiers((0, 5, "10", "0"), (6, None, "5", "20"))}}
VOLUME = {"model": "volume", "properties": {"volume_ranges": tiers((0, 10, "10", "0"), (11, None, "8", "5"))}}

# September and October. What was held before the subscription began is held from its first day on.
LASTING = [
    Case("level", "sum_agg", SUM_STEPS, [("6.0", 3, 600), ("6.0", 3, 600)], RECURRING),
    Case("below", "sum_agg", values(("09-05", -3), ("10-05", 4)), [("0.0", 1, 0), ("1.0", 2, 100)], RECURRING),
    Case(
        "stays",
        "unique_count_agg",
        moves(("08-01", "a", "add"), ("09-05", "b", "add"), ("10-05", "a", "remove")),
        [("2.0", 2, 200), ("1.0", 1, 100)],
        RECURRING,
    ),
    Case(
        "average",
        "weighted_sum_agg",
        values(("08-20", 4), ("09-11", 10), ("09-21", -4)),
        [("9.33333333333333333334", 2, 933), ("10.0", 0, 1000)],
        WEIGHTED | RECURRING,
    ),
    # Prorated sums.
    Case("p_sum", "sum_agg", SUM_STEPS, [("6.0", 3, 633), ("6.0", 3, 600)], RECURRING, PRORATED),
    Case(
        "p_below", "sum_agg", values(("09-16", -4), ("10-17", 6)), [("0.0", 1, 0), ("2.0", 2, 0)], RECURRING, PRORATED
    ),
    Case(
        "p_volume",
        "sum_agg",
        values(("09-16", 12)),
        [("12.0", 1, 5300), ("12.0", 1, 10100)],
        RECURRING,
        PRORATED | VOLUME,
    ),
    Case(
        "p_plain",
        "sum_agg",
        values(("08-16", 4), ("09-16", 4)),
        [("8.0", 2, 7250), ("8.0", 2, 8500)],
        RECURRING,
        PRORATED | PLAIN,
    ),
    Case(
        "p_steep",
        "sum_agg",
        values(("09-10", 2), ("09-16", 5), ("09-20", -6), ("09-25", 10)),
        [("11.0", 4, 17967), ("11.0", 4, 23000)],
        RECURRING,
        PRORATED | STEEP,
    ),
    Case(
        "p_rounded",
        "sum_agg",
        values(("08-16", "2.5")),
        [("3.0", 1, 3000), ("3.0", 1, 3000)],
        RECURRING | {"rounding_function": "ceil"},
        {**PRORATED, **THIRTY, "properties": {"amount": "10"}},
    ),
    Case(
        "p_rounded_tiers",
        "sum_agg",
        values(("08-16", "2.5")),
        [("3.0", 1, 2500), ("3.0", 1, 2500)],
        RECURRING | {"rounding_function": "ceil"},
        PRORATED | PLAIN,
    ),
    # Prorated unique counts.
    Case(
        "p_added",
        "unique_count_agg",
        moves(("09-15", "a", "add"), ("10-22", "a", "remove")),
        [("1.0", 1, 1600), ("0.0", 0, 2129)],
        RECURRING,
        PRORATED | THIRTY,
    ),
    Case(
        "p_seed",
        "recurring_count_agg",
        moves(("09-15T10:00:00", "a", "add"), ("10-22T10:00:00", "a", "remove")),
        [("1.0", 1, 1600), ("0.0", 0, 2129)],
        {},
        THIRTY,
    ),
    Case(
        "p_four",
        "unique_count_agg",
        moves(
            ("08-30", "a", "add"),
            ("08-30", "b", "add"),
            ("10-05", "d", "add"),
            ("10-08", "d", "remove"),
            ("10-10", "b", "remove"),
            ("10-20", "c", "add"),
        ),
        [("2.0", 2, 6000), ("2.0", 2, 5516)],
        RECURRING,
        PRORATED | THIRTY,
    ),
    Case(
        "p_same_day",
        "unique_count_agg",
        moves(("09-01", "a", "add"), ("09-10T08:00:00", "a", "remove"), ("09-10T20:00:00", "a", "add")),
        [("1.0", 1, 3000), ("1.0", 1, 3000)],
        RECURRING,
        PRORATED | THIRTY,
    ),
    Case(
        "p_users", "unique_count_agg", FIVE_USERS, [("5.0", 5, 9000), ("5.0", 5, 15000)], RECURRING, PRORATED | THIRTY
    ),
    Case(
        "p_grouped",
        "unique_count_agg",
        FIVE_USERS,
        [],
        RECURRING,
        {**PRORATED, "properties": {"amount": "30", "pricing_group_keys": ["v"]}},
    ),
    Case(
        "p_seats",
        "unique_count_agg",
        moves(("09-10", "a", "add"), ("09-12", "a", "remove"), ("09-14", "a", "add"), ("09-15", "b", "add")),
        [("2.0", 2, 15933), ("2.0", 2, 16500)],
        RECURRING,
        PRORATED | SEATS,
    ),
]


def test_units_that_stay_over_two_periods_an_end_and_a_late_event(aws):
    """The same usage on two subscriptions: one goes on, one ends on 15 October at 10:00."""
    story = Story.begin(at="2024-09-01T00:00:00Z")
    story.plan(charges=[case.set_up(story) for case in LASTING])
    story.customer()
    story.subscribe()
    story.subscribe(external_id="leaver")
    # The events are sent backwards: their own time decides. But the first API refuses to remove what is not there.
    sent = [event for case in LASTING for sub in ("sub", "leaver") for event in case.sent(sub=sub)]
    in_turn = [event for event in sent if event["code"] == "p_seed"]
    use_many(story, [*in_turn, *(event for event in sent[::-1] if event not in in_turn)])
    story.travel("2024-09-30T12:00:00Z")
    usage = story.usage()
    story.travel("2024-10-01T06:00:00Z")
    september = last_bill(story)
    assert_agrees(usage, september)
    for case in LASTING:
        assert (case.code, september.lines(case.code)[:1]) == (case.code, case.expected[:1] or [("1.0", 1, 2000)])
    assert september.cents("p_grouped") == [2000, 1900, 1800, 1700, 1600]
    assert september.one("p_four")["precise_unit_amount"] == "30.0"
    assert september.one("p_sum")["precise_amount"] == "6.33334"
    assert september.one("average")["total_aggregated_units"] == "10.0"
    assert september.one("p_steep")["amount_details"] == {}

    # Late: what recurs is held for the whole of October.
    late = {"at": "2024-09-20", "v": 1}
    use_many(story, [{"code": "level", **late}, {"code": "p_sum", **late}, {"code": "p_users", **late, "v": "late"}])
    story.travel("2024-10-15T10:00:00Z")
    use_many(
        story,
        [
            {"code": "level", "sub": "leaver", "at": "2024-10-15T10:00:00", "v": 1},  # The second of the end counts.
            {"code": "level", "sub": "leaver", "at": "2024-10-15T10:00:01", "v": 100},
        ],
    )
    story.terminate("leaver")
    ended = last_bill(story, "leaver")
    assert ended.lines("level") == [("7.0", 4, 700)]
    assert ended.lines("p_users") == [("5.0", 5, 7258)]  # 5 x 15/31 = 2.41936
    assert ended.lines("p_grouped") == [("1.0", 1, 1452)] * 5  # 0.48388 each
    assert ended.lines("p_sum") == [("6.0", 3, 290)]  # 6 x 15/31
    assert {f["to_date"] for f in ended.fees} == {"2024-10-15T10:00:00Z"}
    story.travel("2024-10-31T12:00:00Z")
    usage = story.usage()
    story.travel("2024-11-01T06:00:00Z")
    october = last_bill(story)
    assert_agrees(usage, october)
    changed = {"level": ("7.0", 4, 700), "p_sum": ("7.0", 4, 700), "p_users": ("6.0", 6, 18000)}
    for case in LASTING:
        expected = changed.get(case.code) or case.expected[1] if case.expected else ("1.0", 1, 3000)
        assert (case.code, october.lines(case.code)[:1]) == (case.code, [expected])
    assert len(bills(story, "leaver")) == 2


def test_an_upgrade_splits_what_is_prorated_and_leaves_what_stays_to_the_new_plan(aws):
    """75 units held and 20 more on 17 October; the upgrade is on the 18th. Source: rules/billing-periods 7.1."""
    story = Story.begin(at="2024-10-01T00:00:00Z")
    shares = story.metric("shares", "sum_agg", field_name="v", recurring=True)
    both = story.metric("both", "sum_agg", field_name="v", recurring=True)
    dropped = story.metric("dropped", "sum_agg", field_name="v", recurring=True)
    users = story.metric("users", "unique_count_agg", field_name="v", recurring=True)
    calls = story.metric("calls")
    shared = [priced(shares, prorated=True), priced(both), priced(users, properties={"amount": "31"}, prorated=True)]
    story.plan("small", charges=[*shared, priced(dropped), priced(calls)])
    story.plan("large", charges=[*shared, priced(calls, properties={"amount": "3"})], amount_cents=100)
    story.customer()
    story.subscribe("small")
    held = [{"code": code, "at": "2024-09-05", "v": 75} for code in ("shares", "both", "dropped")]
    added = [{"code": code, "at": "2024-10-17", "v": 20} for code in ("shares", "both", "dropped")]
    own = [{"code": "users", "at": "2024-10-01", "v": "a"}, {"code": "users", "at": "2024-10-18T09:00:00", "v": "b"}]
    calls_at = ("2024-10-18T10:00:00", "2024-10-18T10:00:01", "2024-10-20")
    use_many(story, [*held, *added, *own, *({"code": "calls", "at": at} for at in calls_at)])
    story.travel("2024-10-18T10:00:00Z")
    story.subscribe("large")
    (closing,) = bills(story)
    assert closing.one("shares")["precise_amount"] == "42.41936"  # 75 x 17/31 + 20 x 2/31
    assert closing.lines("shares") == [("95.0", 2, 4242)]
    assert closing.of("both") == []
    assert closing.lines("dropped") == [("95.0", 2, 9500)]
    assert closing.lines("users") == [("2.0", 2, 1900)]  # 18 days and one, of 31.
    story.travel("2024-11-01T00:00:00Z")
    opening = last_bill(story)
    assert opening.one("shares")["precise_amount"] == "42.90323"  # 95 x 14/31
    assert opening.lines("both") == [("95.0", 2, 9500)]
    assert opening.lines("users") == [("2.0", 2, 2800)]
    assert closing.of("calls") == []
    assert opening.lines("calls") == [("3.0", 3, 900)]  # The second of the upgrade is the new plan's, once.
    assert [fee["item"]["code"] for fee in opening.fees] == ["shares", "both", "users", "calls"]


@pytest.mark.parametrize(
    ("ends_by", "price"), [("end", "2.06897"), ("upgrade", "1.89656")], ids=["12 of 29 days", "11 of 29 days"]
)
def test_the_last_day_of_a_held_sum(aws, ends_by, price):
    story = Story.begin(at="2024-02-01T00:00:00Z")
    level = story.metric("level", "sum_agg", field_name="v", recurring=True)
    story.plan("small", charges=[priced(level, prorated=True)])
    story.plan("large", amount_cents=100)
    story.customer()
    story.subscribe("small")
    use_many(story, [{"code": "level", "at": "2024-01-05", "v": 5}])
    story.travel("2024-02-12T10:00:00Z")
    if ends_by == "end":
        story.terminate()
    else:
        story.subscribe("large")
    fee = last_bill(story).one("level")
    assert (fee["precise_amount"], fee["units"]) == (price, "5.0")


def test_a_downgrade_bills_the_whole_period_and_keeps_the_level(aws):
    story = Story.begin(at="2024-01-01T00:00:00Z")
    level = story.metric("level", "sum_agg", field_name="v", recurring=True)
    users = story.metric("users", "unique_count_agg", field_name="v", recurring=True)
    story.plan("large", amount_cents=100, charges=[priced(level), priced(users, prorated=True)])
    story.plan("small", charges=[priced(level, properties={"amount": "2"}), priced(users, prorated=True)])
    story.customer()
    story.subscribe("large")
    events = [{"code": "level", "at": "2024-01-05", "v": 5}, {"code": "users", "at": "2024-01-17", "v": "a"}]
    use_many(story, [*events, {"code": "level", "at": "2024-02-01T00:00:00.000", "v": 1}])
    story.travel("2024-01-10T00:00:00Z")
    story.subscribe("small")
    story.travel("2024-02-01T00:00:00Z")
    assert last_bill(story).rows == [("level", "5.0", 1, 500), ("users", "1.0", 1, 48)]  # 15/31
    story.travel("2024-03-01T00:00:00Z")
    assert last_bill(story).rows == [("level", "6.0", 2, 1200), ("users", "1.0", 1, 100)]
