"""All kinds of task with their handlers: importing this module imports every module of handlers."""

from chalicelib.tasks import billable_metrics as billable_metric_jobs
from chalicelib.tasks import billing as billing_jobs
from chalicelib.tasks import coupons as coupon_jobs
from chalicelib.tasks import credit_notes as credit_note_jobs
from chalicelib.tasks import customers as customer_jobs
from chalicelib.tasks import documents as document_jobs
from chalicelib.tasks import events as event_jobs
from chalicelib.tasks import invoices as invoice_jobs
from chalicelib.tasks import payment_providers as payment_provider_jobs
from chalicelib.tasks import payments as payment_jobs
from chalicelib.tasks import plans as plan_jobs
from chalicelib.tasks import subscriptions as subscription_jobs
from chalicelib.tasks import taxes as tax_jobs
from chalicelib.tasks import test_clock as clock_jobs
from chalicelib.tasks import usage as usage_jobs
from chalicelib.tasks import wallets as wallet_jobs
from chalicelib.tasks import webhooks as webhook_jobs
from chalicelib.tasks import works as work_jobs

ALL = (
    billable_metric_jobs,
    billing_jobs,
    clock_jobs,
    coupon_jobs,
    credit_note_jobs,
    customer_jobs,
    document_jobs,
    event_jobs,
    invoice_jobs,
    payment_provider_jobs,
    payment_jobs,
    plan_jobs,
    subscription_jobs,
    tax_jobs,
    usage_jobs,
    wallet_jobs,
    webhook_jobs,
    work_jobs,
)
