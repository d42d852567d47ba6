"""Changing and deleting plans that have subscriptions, and giving a subscription a plan of its own.

Source: rules/catalog 2.
"""

from tests.support.story import Story


def amounts(invoice) -> list[int]:
    return [fee["amount_cents"] for fee in invoice["fees"]]


def test_a_new_amount_counts_from_the_next_fee_and_settles_changes_that_waited(aws):
    story = Story.begin()
    for name, amount in (("gold", 4000), ("silver", 2000), ("bronze", 1000)):
        story.plan(name, amount_cents=amount, pay_in_advance=True)
    story.subscribe("gold", "up")
    story.subscribe("silver", "up")
    story.subscribe("silver", "stays")
    story.subscribe("bronze", "stays")
    story.travel("2024-01-11T00:00:00Z")
    # Silver becomes dearer than gold: the change to it is an upgrade, at once; bronze stays cheaper.
    story.ok("PUT", "/plans/silver", {"plan": {"amount_cents": 5000}})
    now = story.ok("GET", "/subscriptions/up")["subscription"]
    assert (now["plan_code"], now["status"], now["previous_plan_code"]) == ("silver", "active", "gold")
    assert amounts(story.invoices()[-1]) == [3387]  # 21 × 5000 / 31
    assert story.notes()[0]["total_amount_cents"] == 2710  # 21 × 4000 / 31
    assert story.ok("GET", "/subscriptions/stays")["subscription"]["next_plan_code"] == "bronze"
    # Silver becomes cheaper than bronze: the change from it is none to a cheaper plan any more, and dropped.
    story.ok("PUT", "/plans/silver", {"plan": {"amount_cents": 500}})
    stays = story.ok("GET", "/subscriptions/stays")["subscription"]
    assert (stays["plan_code"], stays["next_plan_code"], stays["downgrade_plan_date"]) == ("silver", None, None)
    story.travel("2024-02-01T00:00:00Z")
    assert amounts(story.invoices()[-1]) == [500, 500]


def test_a_draft_follows_its_plan(aws):
    story = Story.begin()
    story.organization(billing_configuration={"invoice_grace_period": 5})
    story.plan("gold", amount_cents=4000, pay_in_advance=True)
    story.subscribe("gold")
    assert amounts(story.invoices()[0]) == [4000]
    story.ok("PUT", "/plans/gold", {"plan": {"amount_cents": 3000}})
    (draft,) = story.invoices()
    assert (draft["status"], amounts(draft), draft["total_amount_cents"]) == ("draft", [3000], 3000)


def test_a_deleted_plan_ends_its_subscriptions_with_their_documents(aws):
    story = Story.begin()
    story.customer("other", invoice_grace_period=None, billing_configuration={"invoice_grace_period": 10})
    story.plan("gold", amount_cents=3100, pay_in_advance=True)
    story.plan("later", amount_cents=100)
    story.subscribe("gold", "one")
    story.subscribe("gold", "two", customer="other")
    story.subscribe("gold", "own", plan_overrides={"amount_cents": 6200})
    story.subscribe("gold", "waits", subscription_at="2024-05-01T00:00:00Z")
    story.subscribe("later", "one")
    story.travel("2024-01-11T12:00:00Z")
    gone = story.ok("DELETE", "/plans/gold")["plan"]
    assert gone["pending_deletion"] is True
    assert story.call("GET", "/plans/gold").status == 404
    ended = story.ok("GET", "/subscriptions?status[]=terminated")["subscriptions"]
    assert sorted(s["external_id"] for s in ended) == ["one", "own", "two"]
    canceled = story.ok("GET", "/subscriptions?status[]=canceled")["subscriptions"]
    assert sorted((s["external_id"], s["plan_code"]) for s in canceled) == [("one", "later"), ("waits", "gold")]
    assert sorted(n["total_amount_cents"] for n in story.notes()) == [2000, 2000, 4000]
    assert {i["status"] for i in story.invoices()} == {"finalized"}
    assert len(story.invoices()) == 6
    story.plan("gold", amount_cents=1)  # The code is free.
    again = story.subscribe("gold", "one")
    assert again["status"] == "active"


def test_a_subscription_may_have_a_plan_of_its_own(aws):
    story = Story.begin()
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    plan = story.plan("gold", amount_cents=3100, charges=[charge])
    overrides = {
        "amount_cents": 6200,
        "invoice_display_name": "Gold for you",
        "charges": [{"id": plan["charges"][0]["lago_id"], "properties": {"amount": "2"}}],
    }
    mine = story.subscribe("gold", "mine", plan_overrides=overrides)
    assert (mine["plan_code"], mine["plan_amount_cents"]) == ("gold", 6200)
    assert story.subscribe("gold", "mine", plan_overrides=overrides)["lago_id"] == mine["lago_id"]
    story.subscribe("gold", "plain")
    assert len(story.ok("GET", "/plans")["plans"]) == 1
    assert story.ok("GET", "/plans/gold")["plan"]["amount_cents"] == 3100
    story.use(at=1704880000, subscription="mine")
    story.use(at=1704880000, subscription="plain")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert sorted(amounts(invoice)) == [100, 200, 3100, 6200]
    assert "Gold for you" in [fee["item"]["invoice_display_name"] for fee in invoice["fees"]]
    # A later change makes, or changes, the subscription's own copy.
    changed = story.ok("PUT", "/subscriptions/plain", {"subscription": {"plan_overrides": {"amount_cents": 3200}}})[
        "subscription"
    ]
    assert changed["plan_amount_cents"] == 3200
    code = plan["charges"][0]["code"]
    own = story.ok("PUT", f"/subscriptions/plain/charges/{code}", {"charge": {"properties": {"amount": "5"}}})["charge"]
    assert own["properties"] == {"amount": "5"}
    assert story.ok("GET", "/subscriptions/plain/charges")["charges"][0]["properties"] == {"amount": "5"}
    assert story.ok("GET", f"/subscriptions/plain/charges/{code}")["charge"]["lago_id"] == own["lago_id"]
    assert story.call("GET", "/subscriptions/plain/charges/nothing").body["code"] == "charge_not_found"
    assert story.ok("GET", "/plans/gold")["plan"]["charges"][0]["properties"] == {"amount": "1"}
    story.use(at=1706880000, subscription="plain")
    story.travel("2024-03-01T00:00:00Z")
    assert sorted(amounts(story.invoices()[-1])) == [500, 3200, 6200]


def test_more_units_of_a_fixed_charge_are_billed_to_all_subscriptions_of_the_plan_once(aws):
    story = Story.begin()
    add_on = {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    fixed = {"add_on_code": "seat", "code": "seats", "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("gold", fixed_charges=[{**fixed, "units": 10, "pay_in_advance": True, "prorated": True}])
    story.subscribe("gold", "one")
    story.subscribe("gold", "two", customer="other")
    story.travel("2024-01-22T00:00:00Z")
    change = {"fixed_charge": {"units": 20, "apply_units_immediately": True}}
    story.ok("PUT", "/plans/gold/fixed_charges/seats", change)
    assert [amounts(i) for i in story.invoices()] == [[1000], [1000], [323], [323]]
    assert {i["billing_periods"][0]["invoicing_reason"] for i in story.invoices()} == {"in_advance_charge"}
    story.ok("PUT", "/plans/gold/fixed_charges/seats", {"fixed_charge": {"invoice_display_name": "Seats"}})
    assert len(story.invoices()) == 4
    story.travel("2024-02-01T00:00:00Z")
    assert [amounts(i) for i in story.invoices()[4:]] == [[0, 2000], [0, 2000]]
