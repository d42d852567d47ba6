"""Composition of the app: the blueprints of all resources, the task handlers, and the work of its functions."""

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.api import (
    add_ons,
    applied_coupons,
    billable_metrics,
    billing,
    billing_entities,
    coupons,
    credit_notes,
    customers,
    events,
    fees,
    files,
    health,
    invoices,
    organizations,
    payments,
    plans,
    subscriptions,
    taxes,
    test_clock,
    wallet_transactions,
    wallets,
    webhooks,
)
from chalicelib.console import routes as console
from chalicelib.features.metering import messages as metering
from chalicelib.platform import agenda, clock, log, queues, throttled
from chalicelib.platform.log import logger
from chalicelib.platform.queues import Record
from chalicelib.tasks import worker as work_service

BLUEPRINTS = [
    routes.blueprint
    for routes in (
        health.routes,
        organizations.admin,
        organizations.routes,
        billing_entities.routes,
        test_clock.routes,
        taxes.routes,
        billable_metrics.routes,
        add_ons.routes,
        plans.routes,
        coupons.routes,
        applied_coupons.routes,
        customers.routes,
        subscriptions.routes,
        events.routes,
        billing.routes,
        invoices.routes,
        fees.routes,
        credit_notes.routes,
        payments.routes,
        files.routes,
        wallets.routes,
        wallet_transactions.routes,
        webhooks.routes,
    )
] + [console.blueprint]


def _declare_tasks() -> None:
    from chalicelib.tasks import kinds  # noqa: F401  importing it declares all kinds of task and their handlers


agenda.declared_by(_declare_tasks)


def meter(records: Sequence[Record]) -> dict[str, Any]:
    """Count the events of a batch; the answer names the records to deliver again."""
    return _answer(metering.handle, records)


def work(records: Sequence[Record]) -> dict[str, Any]:
    """Carry out the tasks of a batch; the answer names the messages to deliver again."""
    return _answer(work_service.handle, records)


def deliver(records: Sequence[Record]) -> dict[str, Any]:
    """Run the tasks of a batch all at once: each of them mostly waits for an endpoint's server."""
    return _answer(work_service.handle_at_once, records)


def tick() -> None:
    """Find what is due until the next tick and push it."""
    work_service.tick(real_now=clock.utc_now())
    throttled.tell()


def _answer(handle: Callable[[Sequence[Record]], Sequence[str]], records: Sequence[Record]) -> dict[str, Any]:
    """Batch response. Records that failed return soon; all of the batch do if its handler raised."""
    with log.about(message_id=lambda: " ".join(str(record["messageId"]) for record in records)):
        try:
            failed = handle(records)
        except Exception:  # noqa: BLE001  left to itself Lambda would bring them all again much later
            logger.exception("batch failed")
            failed = [str(record["messageId"]) for record in records]
        queues.come_again_soon([record for record in records if record["messageId"] in failed])
    throttled.tell()
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
