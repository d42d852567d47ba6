"""An external id of a subscription that another customer takes: nothing of what was used under it before is theirs.

Source: rules/usage 1.4.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.aws import again
from tests.support.charging import priced, tiers, ts
from tests.support.in_advance import advance
from tests.support.quick_moto import Everything, everything
from tests.support.story import Story, meter, work

pytestmark = pytest.mark.xdist_group("reused_ids")  # They begin with one world, which is told once.

WEIGHTED = {"weighted_interval": "seconds"}
RECURRING = {"recurring": True}
GROUPED = {"properties": {"amount": "1", "pricing_group_keys": ["who"]}}
CLOUD = {"filters": [{"key": "cloud", "values": ["aws"]}]}
FILTERED = {"filters": [{"values": {"cloud": ["aws"]}, "properties": {"amount": "1"}}]}
VOLUME = {"model": "volume", "properties": {"volume_ranges": tiers((0, None, "1", "0"))}}
# Code: aggregation, metric, charge.
IN_ARREARS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "count": ("count_agg", {}, {}),
    "sum": ("sum_agg", {}, {}),
    "max": ("max_agg", {}, {}),
    "latest": ("latest_agg", {}, {}),
    "unique": ("unique_count_agg", {}, {}),
    "weighted": ("weighted_sum_agg", WEIGHTED, {}),
    "r_sum": ("sum_agg", RECURRING, {}),
    "r_unique": ("unique_count_agg", RECURRING, {}),
    "r_weighted": ("weighted_sum_agg", RECURRING | WEIGHTED, {}),
    "p_sum": ("sum_agg", RECURRING, {"prorated": True}),
    "p_unique": ("unique_count_agg", RECURRING, {"prorated": True}),
    "p_volume": ("sum_agg", RECURRING, {"prorated": True, **VOLUME}),
    "g_sum": ("sum_agg", RECURRING, GROUPED),
    "g_unique": ("unique_count_agg", RECURRING, GROUPED),
    "f_sum": ("sum_agg", RECURRING | CLOUD, FILTERED),
    "f_unique": ("unique_count_agg", RECURRING | CLOUD, FILTERED),
    "f_latest": ("latest_agg", CLOUD, FILTERED),
}
IN_ADVANCE: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a_sum": ("sum_agg", {}, {}),
    "a_unique": ("unique_count_agg", {}, {}),
    "ar_sum": ("sum_agg", RECURRING, {}),
    "ar_unique": ("unique_count_agg", RECURRING, {}),
    "ar_loose": ("sum_agg", RECURRING, {"invoiceable": False}),
    "ap_sum": ("sum_agg", RECURRING, {"prorated": True}),
}
CODES = (*IN_ARREARS, *IN_ADVANCE)
# What two units cost 2.00 by: in the month of their coming, and in each month that they stay.
COUNTED = (
    "count",
    "sum",
    "max",
    "latest",
    "unique",
    "r_sum",
    "r_unique",
    "g_sum",
    "g_unique",
    "f_sum",
    "f_unique",
    "f_latest",
)
HELD = ("r_sum", "r_unique", "r_weighted", "p_sum", "p_unique", "p_volume", "g_sum", "g_unique", "f_sum", "f_unique")


@pytest.fixture(scope="module")
def told(module_aws: None) -> tuple[Story, Everything]:
    """From 1 January on the first customer uses 7 of everything, on the 10th; and all that is stored then."""
    story = Story.begin()
    charges = []
    for code in CODES:
        kind, metric, charge = IN_ARREARS.get(code) or IN_ADVANCE[code]
        own = story.metric(code, kind, **({} if kind == "count_agg" else {"field_name": "v"}), **metric)
        fields = dict(charge)
        if code in IN_ARREARS:
            charges.append(priced(own, fields.pop("model", "standard"), fields.pop("properties", None), **fields))
        else:
            charges.append(advance(own, **fields))
    story.plan(charges=charges)
    story.plan("dearer", charges=charges, amount_cents=1000)
    story.plan("cheaper", charges=charges, amount_cents=-0)
    story.customer("first")
    story.subscribe(customer="first")
    story.travel("2024-01-10T00:00:00Z")
    use(story, 7, "2024-01-10", "first")
    assert units(story, "first") == {code: all_of(code, 7) for code in CODES}
    return story, everything()


@pytest.fixture
def used(told: tuple[Story, Everything]) -> Iterator[Story]:
    """The same for each test, which may do with it what it wants."""
    story, before = told
    with again(before):
        yield story


def use(story: Story, number: int, on: str, who: str) -> None:
    """Usage that comes to a number of units: distinct values, or as a sum."""
    for code in CODES:
        kind, *_ = IN_ARREARS.get(code) or IN_ADVANCE[code]
        values = [f"{who} {n}" for n in range(number)] if kind == "unique_count_agg" else [number]
        values = [1] * number if kind == "count_agg" else values
        for value in values:
            story.use(code, at=ts(on), v=value, who=who, cloud="aws")
    meter()
    work()


def all_of(code: str, number: int) -> str | None:
    """Units as they are shown; None where only time tells: averages."""
    return None if "weighted" in code else f"{number}.0"


def units(story: Story, customer: str) -> dict[str, str | None]:
    """Current usage, averages aside."""
    shown = {each["billable_metric"]["code"]: each["units"] for each in story.usage(customer=customer)["charges_usage"]}
    return {code: None if "weighted" in code and shown[code] != "0.0" else shown[code] for code in CODES}


def owed(story: Story, customer: str) -> dict[str, int]:
    """Cents of usage by metric, of all a customer's fees."""
    work()
    found: dict[str, int] = {}
    for fee in story.ok("GET", f"/fees?per_page=1000&external_customer_id={customer}")["fees"]:
        if fee["item"]["type"] == "charge":
            found[fee["item"]["code"]] = found.get(fee["item"]["code"], 0) + fee["amount_cents"]
    return {code: cents for code, cents in found.items() if cents}


NOTHING = dict.fromkeys(CODES, "0.0")


def hand_over(story: Story, how: str) -> None:
    """The first customer goes, the second one comes."""
    starts: dict[str, Any] = {}
    if how == "the same instant as the usage":
        pass
    else:
        story.travel("2024-01-20T00:00:00Z")
    if how == "deleted":
        story.ok("DELETE", "/customers/first")
        work()
    else:
        story.terminate()
    if how == "later":
        story.travel("2024-01-25T00:00:00Z")
    if how == "started in the past":
        starts = {"subscription_at": "2024-01-05T00:00:00Z"}
    if how == "started in the future":
        starts = {"subscription_at": "2024-01-25T00:00:00Z"}
    story.customer("second")
    story.subscribe(customer="second", **starts)
    if how == "started in the future":
        story.travel("2024-01-25T00:00:00Z")


HOW = [
    "deleted",
    "terminated",
    "later",
    "the same instant as the usage",
    "started in the past",
    "started in the future",
]


@pytest.mark.parametrize("how", HOW)
def test_another_customer_starts_from_nothing(used, how):
    hand_over(used, how)
    before = owed(used, "first")
    assert units(used, "second") == NOTHING
    projected = used.ok("GET", "/customers/second/projected_usage?external_subscription_id=sub")
    assert {each["units"] for each in projected["customer_projected_usage"]["charges_usage"]} == {"0.0"}
    used.travel("2024-02-15T00:00:00Z")
    assert units(used, "second") == NOTHING
    used.travel("2024-03-01T00:00:00Z")
    assert owed(used, "second") == {}
    assert owed(used, "first") == before


@pytest.mark.parametrize("how", HOW)
def test_what_the_newcomer_uses_is_theirs_alone(used, how):
    """Two units of their own, at once: in advance for January, renewed for February; in arrears for January and February."""
    hand_over(used, how)
    before = owed(used, "first")
    now = used.ok("GET", "/test_clock")["test_clock"]["now"][:10]
    use(used, 2, now, "second")
    assert units(used, "second") == {code: all_of(code, 2) for code in CODES}
    in_january = owed(used, "second")
    assert {code: in_january.get(code) for code in IN_ADVANCE if code != "ap_sum"} == dict.fromkeys(
        (code for code in IN_ADVANCE if code != "ap_sum"), 200
    )
    used.travel("2024-02-02T00:00:00Z")
    in_february = owed(used, "second")
    for code in COUNTED:
        assert (code, in_february[code]) == (code, 200)
    assert {code: in_february[code] - in_january.get(code, 0) for code in IN_ADVANCE} == {
        "a_sum": 0,
        "a_unique": 0,
        "ar_sum": 200,
        "ar_unique": 200,
        "ar_loose": 200,
        "ap_sum": 200,
    }
    used.travel("2024-03-01T00:00:00Z")
    in_march = owed(used, "second")
    for code in HELD:
        assert (code, in_march[code] - in_february[code]) == (code, 200)
    assert owed(used, "first") == before


def test_a_place_that_the_other_had_is_new_to_the_newcomer(used):
    """The very values that were active before, and taking away what was never theirs."""
    hand_over(used, "terminated")
    used.use("r_unique", at=ts("2024-01-21"), v="first 1")
    used.use("r_unique", at=ts("2024-01-21"), v="first 2", operation_type="remove")
    used.use("ar_unique", at=ts("2024-01-21"), v="first 1")
    shown = units(used, "second")
    assert (shown["r_unique"], shown["ar_unique"]) == ("1.0", "1.0")
    work()
    assert owed(used, "second") == {"ar_unique": 100}


def test_late_events_of_the_other_stay_theirs(used):
    hand_over(used, "terminated")
    before = owed(used, "first")
    use(used, 1, "2024-01-19", "late")
    assert units(used, "second") == NOTHING
    assert owed(used, "second") == {}
    # What is charged at once is owed by whose event it was: 1.00 more, by days of the month for `ap_sum`.
    more = {code: cents - before.get(code, 0) for code, cents in owed(used, "first").items()}
    assert {code for code, cents in more.items() if cents} == set(IN_ADVANCE)


@pytest.mark.parametrize("plan", ["dearer", "cheaper"])
def test_changes_of_plan_carry_on_what_the_newcomer_has(used, plan):
    hand_over(used, "terminated")
    use(used, 2, "2024-01-20", "second")
    used.subscribe(plan, customer="second")
    used.travel("2024-02-15T00:00:00Z")
    shown = units(used, "second")
    assert {shown[code] for code in CODES if "r_" in code or "p_" in code or "g_" in code} <= {"2.0", None}
    assert (shown["r_sum"], shown["r_unique"], shown["ar_sum"]) == ("2.0", "2.0", "2.0")


def test_the_newcomer_that_comes_back_carries_on(used):
    hand_over(used, "terminated")
    use(used, 2, "2024-01-20", "second")
    used.travel("2024-01-25T00:00:00Z")
    used.terminate()
    used.subscribe(customer="second")
    shown = units(used, "second")
    assert (shown["r_sum"], shown["r_unique"], shown["ar_sum"]) == ("2.0", "2.0", "2.0")


def test_the_same_customer_carries_on(used):
    used.travel("2024-01-20T00:00:00Z")
    used.terminate()
    used.subscribe(customer="first")
    shown = units(used, "first")
    assert (shown["r_sum"], shown["r_unique"], shown["ar_sum"]) == ("7.0", "7.0", "7.0")


def test_who_comes_back_after_another_starts_from_nothing_too(used):
    hand_over(used, "terminated")
    use(used, 2, "2024-01-20", "second")
    used.travel("2024-01-25T00:00:00Z")
    used.terminate()
    used.subscribe(customer="first")
    assert units(used, "first") == NOTHING
    used.travel("2024-03-01T00:00:00Z")
    assert units(used, "first") == NOTHING


def test_one_that_never_began_had_nothing_to_hand_over(used):
    """A subscription that was canceled before its start is no use of the id; the one before it is."""
    used.travel("2024-01-20T00:00:00Z")
    used.terminate()
    used.customer("brief")
    used.subscribe(customer="brief", subscription_at="2024-02-01T00:00:00Z")
    used.terminate(query="?status=pending")
    hand_over_to = used.subscribe(customer="second")
    assert hand_over_to["status"] == "active"
    assert units(used, "second") == NOTHING


def test_the_first_api_asks_the_newcomers_own_resources(story):
    """`recurring_count_agg`: adding what the other had is no repeat, removing it finds nothing."""
    seats = story.metric("seats", "recurring_count_agg", field_name="v")
    story.plan(charges=[priced(seats, prorated=True)])
    story.customer("first")
    story.subscribe(customer="first")
    story.use("seats", at=ts("2024-01-01"), v="a", operation_type="add")
    story.use("seats", at=ts("2024-01-01"), v="b", operation_type="add")
    story.terminate()
    story.subscribe(customer="second")
    event = {"external_subscription_id": "sub", "code": "seats", "timestamp": ts("2024-01-01")}
    removal = {**event, "transaction_id": "r", "properties": {"v": "b", "operation_type": "remove"}}
    answer = story.call("POST", "/events", {"event": removal})
    assert (answer.status, answer.body["error_details"]) == (422, {"v": ["recurring_resource_not_found"]})
    story.use("seats", at=ts("2024-01-01"), v="a", operation_type="add")
    assert story.usage(customer="second")["charges_usage"][0]["units"] == "1.0"
