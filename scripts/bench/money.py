"""Cost of credits on an invoice and of wallets, and numbers under parallel finalization; counted."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import store as invoices
from chalicelib.features.invoicing import finalize
from chalicelib.features.metering import messages, progress
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.tasks import billing
from scripts.bench.billing import bench_story, customer_of_nine_metrics
from scripts.bench.tables import Row
from tests.support.capacity import counting
from tests.support.coupons import apply, coupon
from tests.support.story import Story, work
from tests.support.usage import event, message
from tests.support.wallets import read, wallet

_FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
_WORKERS = 16


def rows() -> list[Row]:
    """An invoice with credits of each kind, reading a wallet, and metering with and without one."""
    return [*_invoice_with_credits(), *_reading(), *_metering()]


def numbers(drafts: int) -> Row:
    """So many drafts of one sequence finalized by workers at once: numbers that are missing or double."""
    story = bench_story()
    story.organization(document_numbering="per_organization", document_number_prefix="BENCH")
    story.plan(amount_cents=3100, pay_in_advance=True)
    for number in range(drafts):
        story.customer(f"c{number}", billing_configuration={"invoice_grace_period": 3})
        story.subscribe("plan", f"s{number}", f"c{number}")
    work()
    now = datetime.now(UTC)
    tasks = [
        task for _, draft in invoices.drafts(story.ref.id) for task in finalize.finalize_now(story.ref, draft, now=now)
    ]
    assert len(tasks) == drafts, f"{len(tasks)} of {drafts} are drafts"
    with ThreadPoolExecutor(min(_WORKERS, drafts)) as pool:
        list(pool.map(_carried_out, tasks))
    found = [each.number for each in invoices.latest(story.ref.id, drafts)]
    given = sorted(int(number.rpartition("-")[2]) for number in found if number)
    wrong = len(set(range(1, drafts + 1)) ^ set(given)) + len(given) - len(set(given))
    return Row(
        f"{drafts:,} drafts of one sequence finalized by {_WORKERS} workers", "numbers missing or double", wrong, 0
    )


def _carried_out(task: Task) -> None:
    """Run a task until it is through: what lost too many races is put off, as in the queue."""
    while runner.run(task, now=task.due_at) is not None:
        found = agenda.find(task.key)
        if found is None:
            return
        task = found


def _invoice_with_credits() -> list[Row]:
    story = customer_of_nine_metrics()
    _note(story)
    for code, fields in (("fixed", {"amount_cents": 10}), ("rate", {"percentage_rate": 10})):
        coupon(story, code, **fields)
        apply(story, code)
    wallet(story, granted_credits="5")
    work()
    task = next(task for task in agenda.tasks_of_clock(story.ref, until=_FEBRUARY) if task.kind == customers.BILL)
    with counting() as issued:
        billing.bill(task, task.due_at)
    invoice = next(each for each in story.invoices() if each["invoice_type"] == "subscription")
    assert len(invoice["fees"]) == 10, invoice["fees"]
    assert [credit["item"]["type"] for credit in invoice["credits"]].count("coupon") == 2, invoice["credits"]
    assert min(invoice["credit_notes_amount_cents"], invoice["prepaid_credit_amount_cents"]) > 0, invoice
    name = "one invoice with 10 fees, 2 coupons, a wallet and a credit note"
    return [
        Row(name, "requests", issued.total, 24),
        Row(name, "transactions", issued.requests["transact_write_items"], 2),
        Row(name, "write units", issued.write_units, None),
    ]


def _note(story: Story) -> None:
    """A credit note of 1.00 for later invoices."""
    add_on = {"name": "Setup", "code": "setup", "amount_cents": 100, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": add_on})
    one_off = {"external_customer_id": "cust", "currency": "EUR", "fees": [{"add_on_code": "setup"}]}
    invoice = story.ok("POST", "/invoices", {"invoice": one_off})["invoice"]
    items = [{"fee_id": invoice["fees"][0]["lago_id"], "amount_cents": 100}]
    note = {"invoice_id": invoice["lago_id"], "credit_amount_cents": 100, "items": items}
    story.ok("POST", "/credit_notes", {"credit_note": note})


def _reading() -> list[Row]:
    story = customer_of_nine_metrics()
    made = wallet(story, granted_credits="5")
    story.customer("cust", billing_configuration={"invoice_grace_period": 3})
    running = _beyond_usage(story, made)
    story.travel("2024-02-01T00:00:00Z")
    drafted = _beyond_usage(story, made)
    name = "reading a wallet, beyond current usage"
    return [Row(name, "requests", running, 2), Row(f"{name}, with a draft of last month", "requests", drafted, None)]


def _beyond_usage(story: Story, made: Any) -> int:
    story.usage()
    with counting() as usage:
        story.usage()
    with counting() as reading:
        read(story, made)
    return reading.total - usage.total


def _metering() -> list[Row]:
    """Units written for the same events of a customer without a wallet, before others have one and while they have."""
    story = bench_story(sandbox=False)
    metric = story.metric()
    charge = {"billable_metric_id": metric["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    story.plan(charges=[charge])
    before = _metered(story, "aaa")
    watched = _metered(story, "bbb", with_wallet=True)
    after = _metered(story, "ccc")
    name = "metering 100 events of a customer without wallets, where others have some"
    return [
        Row(name, "write units more", after - before, 0),
        Row("metering 100 events of a customer with a watched wallet", "write units more", watched - before, None),
    ]


def _metered(story: Story, name: str, *, with_wallet: bool = False) -> int:
    """Write units of 100 events of a new customer."""
    story.customer(name, currency="EUR")
    story.subscribe("plan", name, name)
    if with_wallet:
        rule = {"trigger": "threshold", "threshold_credits": "1", "paid_credits": "50"}
        wallet(story, name, granted_credits="500", recurring_transaction_rules=[rule])
    work()
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    sent = [event(f"{name}-{n}", hour + timedelta(seconds=n), sub=name) for n in range(100)]
    with mock.patch.object(progress, "note"), counting() as meter:  # Its note is once in half a minute, whoever meters.
        assert messages.handle([message(sent, story.ref)]) == []
    return meter.write_units
