"""The run at midnight at a small scale: billed once, whatever goes wrong; linear in what is due, flat in what exists."""

import pytest

from chalicelib.platform import aws
from chalicelib.platform.settings import settings
from infra.local import provision
from infra.local.emulator import Emulator, environment, free_port
from scripts.bench import midnight, scale
from scripts.bench.midnight import Findings, Seller
from tests.support import aws as support

pytestmark = pytest.mark.xdist_group("midnight")

# The first and the last place at which a day begins, and whole hours, halves and quarters between them.
PLACES = ["Pacific/Kiritimati", "Australia/Eucla", "Asia/Kolkata", "Europe/Paris", "America/New_York", "Etc/GMT+12"]


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Findings:
    """One small simulation, which all tests look at. On ministack: moto copies all tables with each transaction."""
    emulator = Emulator(free_port(), None, tmp_path_factory.mktemp("ministack") / "log")
    try:
        emulator.wait_until_up()
        with pytest.MonkeyPatch.context() as patched:
            for name, value in support.variables(**environment(emulator.url, 8000)).items():
                patched.setenv(name, value)
            support.forget()
            provision.tables(aws.client("dynamodb"), "local")
            provision.queues(aws.client("sqs"), "local")
            provision.files(aws.client("s3"), "local", settings().files_bucket)
            provision.key(aws.client("kms"), "local")
            return midnight.simulate(6, PLACES)
    finally:
        emulator.stop()
        support.forget()


def test_every_subscription_is_billed_once_at_its_own_midnight(found):
    assert found.wrong == []
    assert found.once.number["bill_customer"] == 6


def test_ticks_late_double_and_parallel_and_messages_lost_and_doubled_change_nothing(found):
    night = found.disturbed
    assert min(night.lost, night.doubled, night.refused) > 0
    assert found.differing == 0
    assert found.sequence == ["NIGHT-203001-001", "NIGHT-203001-002", "NIGHT-203001-003"]
    assert found.holes == 0


def test_requests_are_linear_in_what_is_due_and_flat_in_what_exists(found):
    assert [row for row in scale.bounds(found) if not row.kept] == []
    assert found.idle.of().total == found.once.of().total
    assert found.idle.of("bill_customer").requests == found.once.of("bill_customer").requests


def test_what_is_counted_for_a_hundred_thousand_keeps_its_bounds(found):
    assert [row for row in scale.at_scale(found) if not row.kept] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, []),
        ({"created_at": "2030-02-01T00:15:00Z"}, ["1: it is of 2030-02-01T00:15:00Z, not of its customer's midnight"]),
        ({"total_amount_cents": 3779}, ["1: its total is 3779"]),
        ({"file_url": None}, ["1: it is not final, or has no document"]),
        ({"billing_periods": []}, ["s was billed 0 times"]),
    ],
)
def test_a_wrong_invoice_is_noticed(change, fault):
    period = {"external_subscription_id": "s", "charges_to_datetime": "2030-01-31T22:59:59Z"}
    invoice = {
        "number": "1",
        "customer": {"external_id": "c", "timezone": "Europe/Paris"},
        "created_at": "2030-01-31T23:00:00Z",
        "total_amount_cents": 3780,
        "status": "finalized",
        "file_url": "here",
        "billing_periods": [period],
    }
    seller = Seller(story=None, zones=["Europe/Paris"], due={"c": ["s"]})
    assert midnight.faults(seller, 2, [invoice | change]) == fault
    twice = midnight.faults(seller, 2, [invoice, invoice])
    assert twice == ["s was billed 2 times", "2 invoices of 1 customers", "a number was given twice"]
