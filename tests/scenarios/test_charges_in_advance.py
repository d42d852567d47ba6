"""Charges paid in advance over HTTP: the worked figures of rules/usage 7, and how they stand on invoices."""

import pytest

from tests.support.charging import ts
from tests.support.in_advance import advance, charges_of, event_fees, paid, summed, unique
from tests.support.story import meter, work

GRADUATED = {
    "graduated_ranges": [
        {"from_value": 0, "to_value": 100, "per_unit_amount": "1", "flat_amount": "0"},
        {"from_value": 101, "to_value": 200, "per_unit_amount": "0.5", "flat_amount": "10"},
        {"from_value": 201, "to_value": None, "per_unit_amount": "0.1", "flat_amount": "5"},
    ]
}


def test_each_event_has_a_final_invoice_of_its_own_with_its_fee_only(story):
    """1.50 a call, 20 % tax; a grace period does not hold it up."""
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    calls = story.metric()
    story.plan(amount_cents=1000, charges=[advance(calls, {"amount": "1.5"}, invoice_display_name="Calls")])
    story.customer(currency="EUR")
    subscription = story.subscribe()
    story.travel("2024-01-10T12:00:00Z")
    transaction = story.use(at=ts("2024-01-09T08:00:00"))
    meter()

    (invoice,) = story.invoices()
    assert (invoice["status"], invoice["invoice_type"]) == ("finalized", "subscription")
    assert (invoice["issuing_date"], invoice["number"][-7:]) == ("2024-01-10", "001-001")
    assert (invoice["fees_amount_cents"], invoice["taxes_amount_cents"], invoice["total_amount_cents"]) == (
        150,
        30,
        180,
    )
    (period,) = invoice["billing_periods"]
    assert period["invoicing_reason"] == "in_advance_charge"
    assert (period["charges_from_datetime"], period["charges_to_datetime"]) == (
        "2024-01-01T00:00:00Z",
        "2024-01-31T23:59:59Z",
    )
    (fee,) = invoice["fees"]
    assert (fee["pay_in_advance"], fee["event_transaction_id"], fee["lago_invoice_id"]) == (
        True,
        transaction,
        invoice["lago_id"],
    )
    assert (fee["units"], fee["precise_unit_amount"], fee["events_count"]) == ("1.0", "1.5", 1)
    assert (fee["from_date"], fee["to_date"]) == ("2024-01-01T00:00:00Z", "2024-01-31T23:59:59Z")
    assert (fee["item"]["type"], fee["item"]["invoice_display_name"]) == ("charge", "Calls")
    assert (fee["lago_subscription_id"], fee["amount_details"]) == (subscription["lago_id"], {})

    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == ("1.0", 150)
    story.travel("2024-02-05T00:00:00Z")
    monthly = story.invoices()[-1]
    assert [f["item"]["type"] for f in monthly["fees"]] == ["subscription"]  # What is paid is not billed again.


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param([10, -4, 8], [("10.0", 1000), ("0.0", 0), ("4.0", 400)], id="only growth over the highest total"),
        pytest.param([10, -4, 3], [("10.0", 1000), ("0.0", 0), ("3.0", 0)], id="a place that is paid already"),
    ],
)
def test_a_sum_pays_what_it_grows(story, properties, expected):
    story.plan(charges=[advance(summed(story))])
    story.subscribe()
    for n in properties:
        story.use("gb", at=ts("2024-01-02T00:00:00"), n=n)
    assert paid(story) == expected
    assert [invoice["total_amount_cents"] for invoice in story.invoices()] == [cents for _, cents in expected]
    level = sum(properties)
    usage = story.usage()["charges_usage"][0]
    assert usage["units"] == f"{level}.0"
    assert usage["amount_cents"] == sum(cents for _, cents in expected)


def test_a_unique_count_pays_for_new_places(story):
    """add a, remove a, add a, add b, add b again; and one without any value, which no metric sees."""
    story.plan(charges=[advance(unique(story), {"amount": "30"})])
    story.subscribe()
    begin = ts("2024-01-02T00:00:00")
    moves = [("a", "add"), ("a", "remove"), ("a", "add"), ("b", None), ("b", "add")]
    for n, (value, operation) in enumerate(moves):
        story.use("users", at=begin + n, id=value, **({"operation_type": operation} if operation else {}))
    story.use("users", at=begin + 10)
    assert paid(story) == [("1.0", 3000), ("0.0", 0), ("1.0", 0), ("1.0", 3000), ("0.0", 0)]
    assert {fee["events_count"] for fee in event_fees(story)} == {1}
    story.use("users", at=begin + 20, id="a", operation_type="remove")
    story.use("users", at=begin + 21, id="b", operation_type="remove")
    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == ("0.0", 6000)


def test_tiers_packages_and_percentages_charge_the_difference(story):
    """The 101st unit: 110.50 - 100.00; of packages of 100 the 101st unit pays, the 102nd does not; 50 %, one event free."""
    gb = summed(story)
    story.plan(
        charges=[
            advance(gb, GRADUATED, "graduated", code="tiers"),
            advance(gb, {"amount": "5", "package_size": 100, "free_units": 100}, "package", code="packages"),
            advance(gb, {"rate": "50", "free_units_per_events": 1}, "percentage", code="rate"),
        ]
    )
    story.subscribe()
    for n in (100, 1, 1):
        story.use("gb", at=ts("2024-01-02T00:00:00"), n=n)
    meter()
    names = {charge["lago_id"]: charge["code"] for charge in story.ok("GET", "/plans/plan")["plan"]["charges"]}
    found: dict[str, list[int]] = {}
    for fee in event_fees(story):
        found.setdefault(names[fee["lago_charge_id"]], []).append(fee["amount_cents"])
    assert found == {"tiers": [10000, 1050, 50], "packages": [0, 500, 0], "rate": [0, 50, 50]}
    invoices = story.invoices()
    assert len(invoices) == 9  # One per event and charge.
    assert all(len(invoice["fees"]) == 1 for invoice in invoices)
    rates = [fee["amount_details"] for fee in event_fees(story) if names[fee["lago_charge_id"]] == "rate"]
    assert [(d["free_units"], d["paid_units"], d["rate"]) for d in rates] == [
        ("100.0", "0.0", "50.0"),
        ("0.0", "1.0", "50.0"),
        ("0.0", "1.0", "50.0"),
    ]


def test_filters_and_groups_count_by_themselves(story):
    """Each filter and each group has its own tiers; `grouped_by` and the filter stand in the fee."""
    gb = summed(story, filters=[{"key": "cloud", "values": ["aws", "gcp"]}])
    charge = advance(gb, GRADUATED, "graduated")
    charge["properties"] = {**GRADUATED, "pricing_group_keys": ["user"]}
    charge["filters"] = [{"values": {"cloud": ["aws"]}, "properties": GRADUATED, "invoice_display_name": "AWS"}]
    story.plan(charges=[charge])
    story.subscribe()
    for cloud, user, n in (
        ("aws", "u1", 100),
        ("gcp", "u1", 100),
        ("aws", "u2", 1),
        ("gcp", "u2", 1),
        ("gcp", "u1", 1),
    ):
        story.use("gb", at=ts("2024-01-02T00:00:00"), cloud=cloud, user=user, n=n)
    assert paid(story) == [("100.0", 10000), ("100.0", 10000), ("1.0", 1050), ("1.0", 100), ("1.0", 1050)]
    shown = [
        (fee["item"]["filters"], fee["item"]["filter_invoice_display_name"], fee["item"]["grouped_by"])
        for fee in event_fees(story)
    ]
    assert shown[0] == ({"cloud": ["aws"]}, "AWS", {})
    assert shown[3] == (None, None, {"user": "u2"})
    usage = story.usage()["charges_usage"][0]
    assert (usage["units"], usage["amount_cents"]) == ("203.0", 11050 + 11050 + 100)


def test_credit_is_taken_and_invoices_of_nothing_may_be_left_out(story):
    """A plan of 31.00 in advance ended on the 30th gives 1.00 back, which pays an event and a part of the next one."""
    story.plan("base", amount_cents=3100, pay_in_advance=True)
    story.plan(charges=[advance(summed(story))])
    story.customer(finalize_zero_amount_invoice="skip", currency="EUR")
    story.subscribe("base", "base")
    story.subscribe()
    story.travel("2024-01-30T00:00:00Z")
    story.terminate("base")
    for n in ("0.8", "0.5", -3, "0.5"):
        story.use("gb", at=ts("2024-01-30T00:00:00"), n=n)
    meter()
    last = story.invoices()[1:]
    due = [(i["fees_amount_cents"], i["credit_notes_amount_cents"], i["total_amount_cents"]) for i in last]
    assert due == [(80, 80, 0), (50, 20, 30)]
    assert [fee["amount_cents"] for fee in event_fees(story)] == [80, 50]  # Nor are fees of such invoices listed.


def test_fees_without_invoice_are_paid_by_themselves(story):
    story.plan(charges=[advance(story.metric(), invoiceable=False)])
    story.subscribe()
    story.use(at=ts("2024-01-02T00:00:00"))
    (fee,) = event_fees(story)
    assert (fee["lago_invoice_id"], fee["payment_status"], fee["amount_cents"]) == (None, "pending", 100)
    assert (fee["pay_in_advance"], fee["invoiceable"], fee["events_count"]) == (True, False, 1)
    assert story.invoices() == []
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices()
    assert charges_of(invoice) == []


def test_paid_fees_without_invoice_are_gathered_once_a_period(story):
    """Of three fees two are paid by 1 February: an invoice of 3.60 with nothing due; the third one follows a month later."""
    story.organization(billing_configuration={"invoice_grace_period": 3})
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    gb = summed(story)
    story.plan(charges=[advance(gb, invoiceable=False, regroup_paid_fees="invoice")])
    story.subscribe()
    for n in (1, 2, 4):
        story.use("gb", at=ts("2024-01-02T00:00:00"), n=n)
    first, second, third = event_fees(story)
    for fee in (first, second):
        story.ok("PUT", f"/fees/{fee['lago_id']}", {"fee": {"payment_status": "succeeded"}})
    story.travel("2024-02-01T00:00:00Z")
    (invoice,) = story.invoices("&invoice_type=advance_charges")
    assert (invoice["status"], invoice["payment_status"], invoice["issuing_date"]) == (
        "finalized",
        "succeeded",
        "2024-02-01",
    )
    assert (invoice["total_amount_cents"], invoice["total_due_amount_cents"]) == (360, 0)
    assert {fee["lago_id"] for fee in invoice["fees"]} == {first["lago_id"], second["lago_id"]}
    (period,) = invoice["billing_periods"]
    assert (period["invoicing_reason"], period["charges_from_datetime"]) == (
        "in_advance_charge_periodic",
        "2024-01-01T00:00:00Z",
    )
    fees = event_fees(story)
    assert [fee["lago_invoice_id"] for fee in fees] == [invoice["lago_id"]] * 2 + [None]
    assert len(story.ok("GET", "/fees")["fees"]) == story.ok("GET", "/fees")["meta"]["total_count"] == 3
    assert story.call("DELETE", f"/fees/{first['lago_id']}").body["code"] == "invoiced_fee"

    story.ok("PUT", f"/fees/{third['lago_id']}", {"fee": {"payment_status": "succeeded"}})
    story.travel("2024-03-01T00:00:00Z")
    assert [i["total_amount_cents"] for i in story.invoices("&invoice_type=advance_charges")] == [360, 480]
    story.travel("2024-04-01T00:00:00Z")
    assert len(story.invoices("&invoice_type=advance_charges")) == 2


def test_a_late_event_is_charged_in_its_own_period_and_by_the_plan_of_its_time(story):
    """Sent in February for January; and for a time after the end, when nobody owes it."""
    calls = story.metric()
    story.plan("first", amount_cents=100, charges=[advance(calls)])
    story.plan("second", amount_cents=200, charges=[advance(calls, {"amount": "2"})])
    story.subscribe("first")
    story.travel("2024-01-20T10:00:00Z")
    story.subscribe("second")
    story.travel("2024-02-10T00:00:00Z")
    for when in ("2024-01-19T00:00:00", "2024-01-20T10:00:00", "2024-01-20T09:59:59", "2024-02-10T00:00:00"):
        story.use(at=ts(when))
    fees = event_fees(story)
    assert [(fee["amount_cents"], fee["from_date"][:10]) for fee in fees] == [
        (100, "2024-01-01"),
        (200, "2024-01-20"),
        (100, "2024-01-01"),
        (200, "2024-02-01"),
    ]
    story.terminate()
    story.use(at=ts("2024-02-10T00:00:00"))
    story.use(at=ts("2024-02-11T00:00:00"))
    assert len(event_fees(story)) == 5


def test_webhooks_tell_of_each_fee(story):
    from tests.support.messages import messages

    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    calls = story.metric()
    story.plan(charges=[advance(calls, code="one"), advance(calls, code="two", invoiceable=False)])
    story.subscribe()
    story.use(at=ts("2024-01-02T00:00:00"))
    assert len(event_fees(story)) == 2
    work()
    told = [message.webhook_type for message in messages(story.ref.id)]
    assert (told.count("fee.created"), told.count("invoice.created")) == (2, 1)
