"""What the app is made of: the blueprints of all slices, and the handlers of all kinds of task.

Importing this module imports every `jobs.py`, so that each kind of task has its handler in every process.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.features.add_ons import routes as add_ons
from chalicelib.features.billable_metrics import jobs as billable_metric_jobs
from chalicelib.features.billable_metrics import routes as billable_metrics
from chalicelib.features.billing import jobs as billing_jobs
from chalicelib.features.billing import routes as billing
from chalicelib.features.credit_notes import jobs as credit_note_jobs
from chalicelib.features.credit_notes import routes as credit_notes
from chalicelib.features.customers import jobs as customer_jobs
from chalicelib.features.customers import routes as customers
from chalicelib.features.documents import jobs as document_jobs
from chalicelib.features.events import jobs as event_jobs
from chalicelib.features.events import routes as events
from chalicelib.features.fees import routes as fees
from chalicelib.features.health import routes as health
from chalicelib.features.invoices import jobs as invoice_jobs
from chalicelib.features.invoices import routes as invoices
from chalicelib.features.metering import service as metering
from chalicelib.features.organizations import routes as organizations
from chalicelib.features.plans import jobs as plan_jobs
from chalicelib.features.plans import routes as plans
from chalicelib.features.subscriptions import jobs as subscription_jobs
from chalicelib.features.subscriptions import routes as subscriptions
from chalicelib.features.taxes import routes as taxes
from chalicelib.features.test_clock import jobs as clock_jobs
from chalicelib.features.test_clock import routes as test_clock
from chalicelib.features.usage import jobs as usage_jobs
from chalicelib.features.webhooks import jobs as webhook_jobs
from chalicelib.features.webhooks import routes as webhooks
from chalicelib.features.work import service as work_service
from chalicelib.platform import clock

JOBS = (
    billable_metric_jobs,
    billing_jobs,
    clock_jobs,
    credit_note_jobs,
    customer_jobs,
    document_jobs,
    event_jobs,
    invoice_jobs,
    plan_jobs,
    subscription_jobs,
    usage_jobs,
    webhook_jobs,
)

BLUEPRINTS = [
    routes.blueprint
    for routes in (
        health.routes,
        organizations.admin,
        organizations.routes,
        test_clock.routes,
        taxes.routes,
        billable_metrics.routes,
        add_ons.routes,
        plans.routes,
        customers.routes,
        subscriptions.routes,
        events.routes,
        billing.routes,
        invoices.routes,
        fees.routes,
        credit_notes.routes,
        webhooks.routes,
    )
]


def meter(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Count the events of a batch; the answer names the records to deliver again."""
    return _failures(metering.handle(records))


def work(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Carry out the tasks of a batch; the answer names the messages to deliver again."""
    return _failures(work_service.handle(records))


def tick() -> None:
    """Find what is due until the next tick and push it."""
    work_service.tick(real_now=clock.utc_now())


def _failures(message_ids: Sequence[str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}
