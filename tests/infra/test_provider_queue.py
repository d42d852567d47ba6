"""Tasks that wait for payment providers have a queue of their own: a provider that hangs holds up nothing else."""

import threading
from datetime import timedelta

import pytest

from app import app
from chalicelib import limits, wiring
from chalicelib.platform import agenda, clock, declaring, queues
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.settings import settings
from infra import package
from infra.local import provision
from tests.support.story import received

CALLING = {
    "collect_payment",
    "tidy_payments",
    "refund_credit_note",
    "sync_provider_customer",
    "make_provider_page",
    "apply_provider_event",
    "retire_provider_endpoint",
}


def test_all_that_calls_providers_stands_there_and_nothing_else():
    declaring.declare_all()
    assert {name for name, kind in agenda.KINDS.items() if kind.queue == "providers"} >= CALLING
    assert not {name for name in CALLING if agenda.KINDS[name].queue != "providers"}


@pytest.mark.parametrize("sandbox", [True, False])
def test_sandboxes_wait_there_as_well(sandbox: bool):
    declaring.declare_all()
    organization = OrganizationRef(OrganizationId("o"), sandbox=sandbox)
    task = agenda.task(agenda.KINDS["collect_payment"], organization, "p", clock.utc_now())
    assert task.queue_name == settings().providers_queue


def test_a_message_stays_hidden_for_longer_than_its_calls_may_take():
    call = limits.PROVIDER_CONNECT_SECONDS + limits.PROVIDER_READ_SECONDS
    timeout, _, queue, _ = package.FUNCTIONS["CallProviders"]
    (hidden,) = [
        resource["Properties"]["VisibilityTimeout"]
        for name, resource in provision.resources("test").items()
        if name == queue
    ]
    # A charge that is in doubt is looked for, made again, and its failure may be explained by one more call.
    assert 3 * call < timeout < hidden
    assert timedelta(seconds=2 * call) < limits.PAYMENT_LEASE < timedelta(seconds=hidden)


def test_tasks_that_wait_do_not_wait_for_each_other(aws, monkeypatch: pytest.MonkeyPatch):
    """Ten calls that hang are carried out at once."""
    declaring.declare_all()
    kind, together, done = agenda.KINDS["collect_payment"], threading.Barrier(10, timeout=20), []

    def hang(task: Task, now: object) -> None:
        together.wait()
        done.append(task.subject)
        agenda.done(task).alone()

    monkeypatch.setitem(runner._handlers, kind.name, hang)
    organization = OrganizationRef(OrganizationId("org"), sandbox=False)
    tasks = [agenda.task(kind, organization, str(number), clock.utc_now()) for number in range(10)]
    for task in tasks:
        agenda.put(task, now=task.due_at).alone()
    agenda.push(tasks)
    assert queues.outstanding(settings().jobs_queue) == 0
    records = received(settings().providers_queue)
    assert wiring.call_providers(records) == {"batchItemFailures": []}
    assert sorted(done) == sorted(str(number) for number in range(10))
    assert "call_providers" in app.handler_map
