"""Upgrades, downgrades and ends over HTTP: the worked figures of rules/billing-periods 7."""

import pytest

from chalicelib import limits
from chalicelib.platform import counters
from tests.support.story import Story


def plans(story: Story, **pay_in_advance: bool) -> None:
    for name, advance in pay_in_advance.items():
        amount = int(name[1:]) * 100
        story.plan(name, amount_cents=amount, pay_in_advance=advance)


def rows(invoice) -> list[tuple[str, str, str, str, str]]:
    return [
        (
            p["invoicing_reason"],
            p["subscription_from_datetime"],
            p["subscription_to_datetime"],
            p["charges_from_datetime"],
            p["charges_to_datetime"],
        )
        for p in invoice["billing_periods"]
    ]


def amounts(invoice) -> list[int]:
    return [fee["amount_cents"] for fee in invoice["fees"]]


@pytest.mark.parametrize(
    ("old_advance", "new_advance", "credit", "now", "due", "june"),
    [
        (False, False, None, [645], 645, [2710]),
        (False, True, None, [645, 2710], 3355, [4000]),
        (True, True, 1355, [2710], 1355, [4000]),
        (True, False, 1355, [], 0, [2710]),
    ],
    ids=["arrears to arrears", "arrears to advance", "advance to advance", "advance to arrears"],
)
def test_an_upgrade_ends_the_old_plan_now_and_starts_the_new_one(aws, old_advance, new_advance, credit, now, due, june):
    story = Story.begin()
    plans(story, p20=old_advance, p40=new_advance)
    story.travel("2024-05-01T00:00:00Z")
    first = story.subscribe("p20")
    story.travel("2024-05-11T10:00:00Z")
    second = story.subscribe("p40")
    assert (second["plan_code"], second["previous_plan_code"], second["status"]) == ("p40", "p20", "active")
    assert second["lago_id"] != first["lago_id"]
    assert second["subscription_at"] == first["subscription_at"]
    invoice = story.invoices()[-1]
    assert amounts(invoice) == now
    assert invoice["total_due_amount_cents"] == due
    assert rows(invoice)[0] == (
        "subscription_terminating",
        "2024-05-01T00:00:00Z",
        "2024-05-11T10:00:00Z",
        "2024-05-01T00:00:00Z",
        "2024-05-11T10:00:00Z",
    )
    if new_advance:
        assert rows(invoice)[1][:3] == ("subscription_starting", "2024-05-11T00:00:00Z", "2024-05-31T23:59:59Z")
        assert invoice["credit_notes_amount_cents"] == (credit or 0)
    found = story.notes()
    assert [n["total_amount_cents"] for n in found] == ([credit] if credit else [])
    if credit:
        assert found[0]["reason"] == "order_cancellation"
        assert found[0]["credit_status"] == ("consumed" if new_advance else "available")
        assert found[0]["balance_amount_cents"] == (0 if new_advance else credit)
    story.travel("2024-06-01T12:00:00Z")
    assert amounts(story.invoices()[-1]) == june
    assert story.invoices()[-1]["total_amount_cents"] == sum(june) - (credit if credit and not new_advance else 0)
    old = story.ok("GET", "/subscriptions/sub?status[]=terminated")["subscription"]
    assert (old["lago_id"], old["next_plan_code"]) == (first["lago_id"], "p40")


def test_a_second_upgrade_credits_the_last_fee(aws):
    """The 10 % example, then $60 on the 21st."""
    story = Story.begin()
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 10, "applied_to_organization": True}})
    plans(story, p20=True, p40=True)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-11T00:00:00Z")
    story.subscribe("p40")
    (note,) = story.notes()
    assert (note["sub_total_excluding_taxes_amount_cents"], note["taxes_amount_cents"]) == (1355, 135)
    assert note["number"] == f"{story.invoices()[0]['number']}-CN001"
    invoice = story.invoices()[1]
    assert (invoice["sub_total_including_taxes_amount_cents"], invoice["total_amount_cents"]) == (2981, 1491)
    (credit,) = invoice["credits"]
    assert (credit["amount_cents"], credit["item"]["type"], credit["item"]["code"]) == (
        1490,
        "credit_note",
        note["number"],
    )


def test_a_second_upgrade_in_the_period_without_tax(aws):
    story = Story.begin()
    plans(story, p20=True, p40=True, p60=True)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-11T00:00:00Z")
    story.subscribe("p40")
    story.travel("2024-05-21T00:00:00Z")
    story.subscribe("p60")
    assert [n["total_amount_cents"] for n in story.notes()] == [1355, 1419]
    assert amounts(story.invoices()[-1]) == [2129]
    assert story.invoices()[-1]["total_amount_cents"] == 2129 - 1419


def test_a_downgrade_waits_for_the_period_and_is_billed_with_what_it_replaces(aws):
    story = Story.begin()
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("p40", amount_cents=4000, pay_in_advance=True, charges=[charge])
    story.plan("p15", amount_cents=1500, pay_in_advance=True, charges=[charge])
    story.travel("2024-05-01T00:00:00Z")
    first = story.subscribe("p40")
    story.use(at=1715200000)
    story.travel("2024-05-11T10:00:00Z")
    answer = story.subscribe("p15")
    assert answer["lago_id"] == first["lago_id"]
    assert (answer["plan_code"], answer["next_plan_code"], answer["downgrade_plan_date"]) == (
        "p40",
        "p15",
        "2024-06-01",
    )
    assert len(story.invoices()) == 1
    pending = story.ok("GET", "/subscriptions/sub?status[]=pending")["subscription"]
    assert (pending["plan_code"], pending["previous_plan_code"]) == ("p15", "p40")
    story.travel("2024-06-01T00:00:00Z")
    invoice = story.invoices()[-1]
    assert amounts(invoice) == [100, 1500]
    assert rows(invoice) == [
        (
            "subscription_terminating",
            "2024-05-01T00:00:00Z",
            "2024-05-31T23:59:59Z",
            "2024-05-01T00:00:00Z",
            "2024-05-31T23:59:59Z",
        ),
        (
            "subscription_starting",
            "2024-06-01T00:00:00Z",
            "2024-06-30T23:59:59Z",
            "2024-06-01T00:00:00Z",
            "2024-06-01T00:00:00Z",
        ),
    ]
    assert story.notes() == []
    now = story.ok("GET", "/subscriptions/sub")["subscription"]
    assert (now["plan_code"], now["status"], now["started_at"]) == ("p15", "active", "2024-06-01T00:00:00.000Z")
    story.travel("2024-07-01T00:00:00Z")
    assert amounts(story.invoices()[-1]) == [1500]


def test_a_change_of_interval_covers_the_rest_of_the_new_period(aws):
    story = Story.begin()
    plans(story, p20=False)
    story.plan("year", amount_cents=120000, interval="yearly", pay_in_advance=True)
    story.travel("2024-05-01T00:00:00Z")
    story.travel("2025-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2025-05-11T00:00:00Z")
    story.subscribe("year")
    assert amounts(story.invoices()[-1]) == [645, 77260]


def test_a_waiting_change_is_dropped_by_a_dearer_plan_by_cancelling_and_by_the_end(aws):
    story = Story.begin()
    plans(story, p20=False, p15=False, p10=False, p40=False)
    story.subscribe("p20")
    story.subscribe("p15")
    story.subscribe("p10")  # Another cheaper plan: the first one is dropped.
    canceled = story.ok("GET", "/subscriptions?status[]=canceled")["subscriptions"]
    assert [s["plan_code"] for s in canceled] == ["p15"]
    gone = story.ok("DELETE", "/subscriptions/sub?status=pending")["subscription"]
    assert (gone["status"], gone["plan_code"]) == ("canceled", "p10")
    assert gone["canceled_at"] is not None
    current = story.ok("GET", "/subscriptions/sub")["subscription"]
    assert (current["next_plan_code"], current["downgrade_plan_date"]) == (None, None)
    story.subscribe("p10")
    assert story.subscribe("p10")["next_plan_code"] == "p10"  # Asking again changes nothing.
    assert story.subscribe("p40")["plan_code"] == "p40"
    assert story.call("GET", "/subscriptions/sub?status[]=pending").status == 404
    story.subscribe("p10")
    story.terminate()
    statuses = sorted(
        s["status"] for s in story.ok("GET", "/subscriptions?status[]=canceled&status[]=terminated")["subscriptions"]
    )
    assert statuses == ["canceled", "canceled", "canceled", "canceled", "terminated", "terminated"]
    story.travel("2024-03-01T00:00:00Z")
    assert all(len(i["billing_periods"]) == 1 for i in story.invoices())


@pytest.mark.parametrize(
    ("advance", "fees", "credit"), [(False, [710], None), (True, [], 1548)], ids=["in arrears", "in advance"]
)
def test_an_end_bills_its_day_or_gives_back_what_follows_it(aws, advance, fees, credit):
    story = Story.begin()
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20, "applied_to_organization": True}})
    plans(story, p20=advance)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-11T10:00:00Z")
    ended = story.terminate()
    assert ended["status"] == "terminated"
    assert ended["on_termination_credit_note"] == ("credit" if advance else None)
    last = story.invoices()[-1]
    assert amounts(last) == fees
    assert rows(last)[0][0] == "subscription_terminating"
    assert [n["total_amount_cents"] for n in story.notes()] == ([credit] if credit else [])
    assert story.call("GET", "/subscriptions/sub").body["code"] == "subscription_not_found"


@pytest.mark.parametrize(
    ("query", "credited", "offset", "invoices"),
    [
        ("", 1290, 0, 2),
        ("?on_termination_credit_note=skip", None, 0, 2),
        ("?on_termination_invoice=skip", 1290, 0, 1),
        ("?on_termination_credit_note=offset", 0, 1290, 2),
        ("?on_termination_credit_note=refund", 1290, 0, 2),
    ],
)
def test_the_options_of_an_end(aws, query, credited, offset, invoices):
    story = Story.begin()
    plans(story, p20=True)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-11T10:00:00Z")
    story.terminate(query=query)
    assert len(story.invoices()) == invoices
    found = story.notes()
    assert [n["credit_amount_cents"] for n in found] == ([] if credited is None else [credited])
    assert [n["offset_amount_cents"] for n in found] == ([] if credited is None else [offset])
    first = story.invoices()[0]
    assert first["total_offsetted_credit_note_amount_cents"] == offset
    assert first["total_due_amount_cents"] == 2000 - offset


def test_an_end_may_settle_one_invoice_and_issue_another_that_are_counted_in_one_item(aws, monkeypatch):
    monkeypatch.setattr(limits, "COUNTER_SPREAD", 1)
    story = Story.begin()
    plans(story, p20=True)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-11T10:00:00Z")
    first = story.invoices()[0]["lago_id"]
    story.ok("POST", "/payments", {"payment": {"invoice_id": first, "amount_cents": 710, "reference": "by hand"}})
    story.terminate(query="?on_termination_credit_note=offset")
    assert [each["payment_status"] for each in story.invoices()] == ["succeeded", "succeeded"]
    totals = [counters.total(story.ref.id, "invoice", f"payment_status={each}") for each in ("pending", "succeeded")]
    assert totals == [0, 2]


def test_what_an_end_must_not_be_asked(aws):
    story = Story.begin()
    plans(story, p20=True)
    story.subscribe("p20")
    for name in ("on_termination_credit_note", "on_termination_invoice"):
        answer = story.call("DELETE", f"/subscriptions/sub?{name}=perhaps")
        assert (answer.status, answer.body["error_details"]) == (422, {name: ["invalid_value"]})


def test_a_note_on_a_draft_is_hidden_and_becomes_final_with_it(aws):
    story = Story.begin()
    story.organization(billing_configuration={"invoice_grace_period": 3})
    plans(story, p20=True, p40=True)
    story.travel("2024-05-01T00:00:00Z")
    story.subscribe("p20")
    story.travel("2024-05-02T00:00:00Z")
    story.subscribe("p40")
    assert story.notes() == []
    assert [i["status"] for i in story.invoices()] == ["draft", "draft"]
    story.travel("2024-05-04T00:00:00Z")
    (note,) = story.notes()
    first = story.invoices()[0]
    assert note["invoice_number"] == first["number"]
    assert note["number"] == f"{first['number']}-CN001"
    assert note["balance_amount_cents"] == note["total_amount_cents"] == 1935
    story.travel("2024-05-05T00:00:00Z")  # The upgrade's own invoice takes it when it becomes final.
    assert story.invoices()[1]["credit_notes_amount_cents"] == 1935
    assert story.notes()[0]["credit_status"] == "consumed"


@pytest.mark.parametrize(
    ("timezone", "ending_at", "day", "amount"),
    [
        ("Europe/Paris", "2023-09-06T00:00:00Z", "2023-09-06", 67),
        ("Europe/Paris", "2023-10-05T00:00:00Z", "2023-10-05", 1000),
        ("America/Bogota", "2023-10-05T00:00:00Z", "2023-10-04", 1000),
    ],
)
def test_an_end_by_date_bills_once(aws, timezone, ending_at, day, amount):
    story = Story.begin(at="2023-09-05T06:00:00Z")
    story.customer(timezone=timezone)
    plans(story, p10=False)
    story.subscribe("p10", subscription_at="2023-09-05T00:00:00Z", ending_at=ending_at, billing_time="anniversary")
    story.travel("2024-01-05T00:00:00Z")
    (invoice,) = story.invoices()
    assert (invoice["issuing_date"], amounts(invoice)) == (day, [amount])
    ended = story.ok("GET", "/subscriptions/sub?status[]=terminated")["subscription"]
    assert ended["terminated_at"][:10] <= day


def test_an_end_by_date_in_advance_on_a_billing_day_owes_nothing_and_gives_nothing_back(aws):
    story = Story.begin()
    plans(story, p20=True)
    story.subscribe("p20", ending_at="2024-02-01T00:00:00Z")
    story.travel("2024-03-05T00:00:00Z")
    first, last = story.invoices()
    assert (amounts(first), amounts(last)) == ([2000], [])
    assert rows(last)[0][0] == "subscription_terminating"
    assert story.notes() == []


def test_an_external_id_used_again_is_not_billed_twice_and_has_no_second_trial(aws):
    story = Story.begin()
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan("p31", amount_cents=3100, charges=[charge])
    story.subscribe("p31")
    story.use(at=1704880000)  # 10 January.
    story.travel("2024-01-11T12:00:00Z")
    story.terminate()
    assert amounts(story.invoices()[0]) == [1100, 100]
    again = story.subscribe("p31", subscription_at="2024-01-05T00:00:00Z")
    assert again["started_at"] == "2024-01-11T12:00:00.000Z"
    story.travel("2024-02-01T00:00:00Z")
    last = story.invoices()[-1]
    assert amounts(last) == [2100]
    assert rows(last)[0][3] == "2024-01-11T12:00:01Z"
