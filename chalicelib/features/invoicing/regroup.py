"""Fees without invoice that were paid, gathered once a period on an invoice of which nothing is due.

Only of charges that ask for it (`regroup_paid_fees: invoice`). Source: rules/usage 7; rules/invoices 1.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.domain.subscriptions import IN_ADVANCE_CHARGE_PERIODIC
from chalicelib.features.customers import store as customer_store
from chalicelib.features.fees import store as fee_store
from chalicelib.features.fees.store import Stored
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices import store as invoice_store
from chalicelib.features.invoicing import compose, run
from chalicelib.features.organizations import service as organizations
from chalicelib.features.rating import renewals
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId, derived_id
from chalicelib.platform.unit import Unit, Write

# Each takes one place of the issuing transaction's 100.
_FEES_PER_INVOICE_MAX = 80


def regroup(task: Task, now: datetime) -> None:
    """Make the invoices one after the other; the last one takes the task with it."""
    more = True
    while more:
        more = _regroup_once(task, now)


def _regroup_once(task: Task, now: datetime) -> bool:
    own = organizations.get(task.organization.id)
    account = run.account_of(own, customer_store.everything_of(own.id, task.detail["customer_id"]))
    subscription, plan, part = renewals.row_of(task)
    charge_ids = {charge.id for charge in plan.charges_in_advance if charge.regroup_paid_fees}
    paid = fee_store.paid_loose(own.id, account.customer.id, subscription.id, charge_ids)
    if not paid:
        agenda.done(task).alone()
        return False
    shown = part.model_copy(
        update={
            "reason": IN_ADVANCE_CHARGE_PERIODIC,
            "bills_usage": False,
            "fee_start": None,
            "fee_end": None,
            "renewal": None,
        }
    )
    some, left = paid[:_FEES_PER_INVOICE_MAX], paid[_FEES_PER_INVOICE_MAX:]
    _issue(account, InvoicedSubscription(subscription, plan, shown), some, [] if left else [agenda.done(task)], now=now)
    return bool(left)


def _issue(
    account: BillingContext,
    line: InvoicedSubscription,
    paid: Sequence[Stored],
    done: Sequence[Write],
    *,
    now: datetime,
) -> None:
    organization = account.organization
    # Told apart by a fee, which is on one invoice only.
    invoice_id = derived_id("regrouped", paid[0].fee.id)
    fees = [stored.fee.model_copy(update={"invoice_id": invoice_id}) for stored in paid]
    draft = compose.drafted(account, [line], fees, invoice_id=InvoiceId(invoice_id), now=now)
    # No credits: all of it was paid.
    final = compose.finalized(replace(account, notes=()), draft, fees, now=now)
    invoice = final.invoice.model_copy(
        update={
            "invoice_type": "advance_charges",
            "payment_status": "succeeded",
            "total_paid_amount_cents": final.invoice.total_amount_cents,
        }
    )
    tasks = invoices.tasks_of_issue(organization, account.customer, invoice, fees, now=now)
    invoice_store.write_fees(organization.id, invoice.id, invoice.build, fees)
    Unit(
        invoice_store.create_actions(organization.id, invoice),
        customer_store.billing_action(organization.id, account.state, final.state),
        final.actions,
        (fee_store.replace_action(organization.id, old, new) for old, new in zip(paid, fees, strict=True)),
        (agenda.put(task, now=now) for task in tasks),
        done,
    ).commit()
    agenda.push(tasks)
