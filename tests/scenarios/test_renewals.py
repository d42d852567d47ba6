"""Recurring units paid in advance over HTTP: the days that are left, and renewals. Source: rules/usage 7.1."""

from tests.support.charging import ts
from tests.support.in_advance import advance, charges_of, event_fees, paid, summed, unique
from tests.support.story import Story


def test_prorated_units_pay_the_days_that_are_left(aws):
    """10 x 29.00 on 6 February of 29 days: 24 / 29 -> 240.00; -5 and +2 after that: nothing. The renewal pays whole months."""
    story = Story.begin(at="2024-02-01T00:00:00Z")
    seats = summed(story, "seats", recurring=True)
    story.plan(charges=[advance(seats, {"amount": "29"}, prorated=True)])
    story.subscribe()
    story.travel("2024-02-06T10:00:00Z")
    for n, when in ((10, "06"), (-5, "08"), (2, "09")):
        story.use("seats", at=ts(f"2024-02-{when}T09:00:00"), n=n)
    assert paid(story) == [("10.0", 24000), ("0.0", 0), ("2.0", 0)]
    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == ("7.0", 24000)
    story.travel("2024-03-01T00:00:00Z")
    assert charges_of(story.invoices()[-1]) == [("seats", "7.0", 20300)]  # 7 x 29.00
    story.travel("2024-03-16T00:00:00Z")
    story.use("seats", at=ts("2024-03-16T00:00:00"), n=3)
    # 3 x 16 / 31 = 1.54839 -> 44.90
    assert paid(story)[-1] == ("3.0", 4490)
    assert story.usage()["charges_usage"][0]["amount_cents"] == 20300 + 4490


def test_recurring_units_are_renewed_each_billing_day_at_full_price(aws):
    """30.00 per user, five in June -> 1 July 5 units 150.00, or five fees of 30.00 by user; without invoice at once."""
    story = Story.begin(at="2024-06-01T00:00:00Z")
    story.organization(billing_configuration={"invoice_grace_period": 2})
    users = unique(story, recurring=True)
    price = {"amount": "30"}
    story.plan("whole", charges=[advance(users, price)])
    story.plan("each", charges=[advance(users, {**price, "pricing_group_keys": ["id"]})])
    story.plan("loose", charges=[advance(users, {**price, "pricing_group_keys": ["id"]}, invoiceable=False)])
    for name in ("whole", "each", "loose"):
        story.subscribe(name, name, name)
    story.travel("2024-06-11T00:00:00Z")
    for name in ("whole", "each", "loose"):
        for n in range(6):
            story.use("users", at=ts("2024-06-11T00:00:00") + n, subscription=name, id=f"u{n}")
        story.use("users", at=ts("2024-06-12T00:00:00"), subscription=name, id="u5", operation_type="remove")
    assert len(event_fees(story)) == 21
    story.travel("2024-07-01T00:00:00Z")

    drafts = {i["customer"]["external_id"]: i for i in story.invoices("&status=draft")}
    assert charges_of(drafts["whole"]) == [("users", "5.0", 15000)]
    assert charges_of(drafts["each"]) == [("users", "1.0", 3000)] * 5
    assert charges_of(drafts["loose"]) == []
    renewed = drafts["whole"]["fees"][-1]
    assert (renewed["from_date"], renewed["to_date"]) == ("2024-07-01T00:00:00Z", "2024-07-31T23:59:59Z")
    assert (renewed["pay_in_advance"], renewed["event_transaction_id"]) == (False, None)
    loose = story.ok("GET", "/fees?external_customer_id=loose&created_at_from=2024-07-01")["fees"]
    assert sorted(fee["item"]["grouped_by"]["id"] for fee in loose) == [f"u{n}" for n in range(5)]
    assert {(f["amount_cents"], f["pay_in_advance"], f["lago_invoice_id"]) for f in loose} == {(3000, True, None)}
    assert loose[0]["from_date"] == "2024-07-01T00:00:00Z"

    story.travel("2024-07-03T00:00:00Z")
    story.use("users", at=ts("2024-07-03T00:00:00"), subscription="whole", id="u5")
    assert paid(story, "&external_customer_id=whole")[-1] == ("1.0", 3000)
    story.travel("2024-07-10T00:00:00Z")
    story.terminate("whole")
    assert charges_of(story.invoices("&external_customer_id=whole")[-1]) == []  # No renewal at the end.
    story.travel("2024-08-01T00:00:00Z")
    assert len(story.ok("GET", "/fees?external_customer_id=loose&created_at_from=2024-08-01")["fees"]) == 5


def test_an_upgrade_renews_nothing_and_a_downgrade_renews_once_at_the_new_price(story):
    users = unique(story, recurring=True)
    for code, cents, price in (("small", 1000, "10"), ("large", 2000, "20"), ("tiny", 500, "5")):
        story.plan(code, amount_cents=cents, charges=[advance(users, {"amount": price})])
    story.subscribe("small")
    story.travel("2024-01-05T00:00:00Z")
    for n in range(3):
        story.use("users", at=ts("2024-01-05T00:00:00"), id=f"u{n}")
    story.use("users", at=ts("2024-01-06T00:00:00"), id="u0", operation_type="remove")
    assert [cents for _, cents in paid(story)] == [1000, 1000, 1000, 0]
    story.travel("2024-01-10T00:00:00Z")
    story.subscribe("large")
    assert charges_of(story.invoices()[-1]) == []
    story.use("users", at=ts("2024-01-10T12:00:00"), id="u9")
    assert paid(story)[-1] == ("1.0", 0)  # The place that u0 left is paid for until the renewal.
    story.use("users", at=ts("2024-01-10T12:00:01"), id="u10")
    assert paid(story)[-1] == ("1.0", 2000)
    story.travel("2024-02-01T00:00:00Z")
    assert charges_of(story.invoices()[-1]) == [("users", "4.0", 8000)]
    story.subscribe("tiny")
    story.travel("2024-03-01T00:00:00Z")
    last = story.invoices()[-1]
    assert charges_of(last) == [("users", "4.0", 2000)]  # By the new plan, once.
    assert len(last["billing_periods"]) == 2
    story.use("users", at=ts("2024-03-01T00:00:00"), id="u11")
    assert paid(story)[-1] == ("1.0", 500)


def test_a_downgrade_without_anything_held_has_no_row_for_it(story):
    users = unique(story, recurring=True)
    story.plan("large", amount_cents=2000, charges=[advance(users)])
    story.plan("small", amount_cents=1000, charges=[advance(users)])
    story.subscribe("large")
    story.subscribe("small")
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert [period["invoicing_reason"] for period in invoice["billing_periods"]] == ["subscription_terminating"]


def test_a_commitment_counts_what_was_paid_in_advance(aws):
    """Plan 100.00 from 28 Feb 2024, 10 units at 1 of each kind: 2/29 of 10 000.00 less 6.90 and 30.00 on 1 March; then a
    month with renewed seats only: 1 000 000 - 10 000 - 1 000."""
    story = Story.begin(at="2024-02-28T00:00:00Z")
    kinds = (
        (summed(story, "seats", recurring=True), True),
        (summed(story, "late"), False),
        (summed(story, "early"), True),
    )
    charges = [advance(metric) | {"pay_in_advance": in_advance} for metric, in_advance in kinds]
    charges[2]["invoiceable"] = False
    story.plan(amount_cents=10_000, charges=charges, minimum_commitment={"amount_cents": 1_000_000})
    story.subscribe()
    for code in ("seats", "late", "early"):
        story.use(code, at=ts("2024-02-28T12:00:00"), n=10)
    story.travel("2024-03-01T00:00:00Z")
    story.travel("2024-04-01T00:00:00Z")
    found = [
        (i["issuing_date"], fee["amount_cents"])
        for i in story.invoices()
        for fee in i["fees"]
        if fee["item"]["type"] == "commitment"
    ]
    assert found == [("2024-03-01", 65_276), ("2024-04-01", 989_000)]


def test_many_subscriptions_with_tasks_of_their_own_are_billed_together(story):
    """Each of 40 takes three writes of a transaction of 100: itself, its renewal and the regrouping of its paid fees."""
    seats = summed(story, "seats", recurring=True)
    story.plan(charges=[advance(seats, invoiceable=False, regroup_paid_fees="invoice")], amount_cents=100)
    for n in range(40):
        story.subscribe(external_id=f"s{n}")
    story.travel("2024-02-01T00:00:00Z")
    billed = [len(invoice["billing_periods"]) for invoice in story.invoices()]
    assert (sum(billed), max(billed)) == (40, 16)  # 3 x 16 = 48 of 50 places.
