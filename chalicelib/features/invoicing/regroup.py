"""Regrouping of paid standalone fees, once a period, on an invoice with nothing due.

Only of charges that ask for it (`regroup_paid_fees: invoice`). Source: rules/usage 7; rules/invoices 1.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from chalicelib.domain.billing_line import IN_ADVANCE_CHARGE_PERIODIC
from chalicelib.features.customers import store as customer_store
from chalicelib.features.fees import store as fee_store
from chalicelib.features.fees.records import Stored
from chalicelib.features.invoicing import compose, issue_transaction
from chalicelib.features.organizations import service as organizations
from chalicelib.features.rating import billing_context, renewals
from chalicelib.features.rating.billing_context import BillingContext
from chalicelib.features.rating.line_items import InvoicedSubscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId, derived_id
from chalicelib.platform.unit import Write

# Each takes one place of the issue transaction's 100.
_FEES_PER_INVOICE_MAX = 80


def regroup(task: Task, now: datetime) -> None:
    """Make the invoices one after the other; the last one takes the task with it."""
    more = True
    while more:
        more = _regroup_once(task, now)


def _regroup_once(task: Task, now: datetime) -> bool:
    own = organizations.get(task.organization.id)
    context = billing_context.read(own, customer_store.everything_of(own.id, task.detail["customer_id"]))
    subscription, plan, part = renewals.row_of(task)
    charge_ids = {charge.id for charge in plan.charges_in_advance if charge.regroup_paid_fees}
    paid = fee_store.paid_standalone(own.id, context.customer.id, subscription.id, charge_ids)
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
    _issue(context, InvoicedSubscription(subscription, plan, shown), some, [] if left else [agenda.done(task)], now=now)
    return bool(left)


def _issue(
    context: BillingContext,
    line: InvoicedSubscription,
    paid: Sequence[Stored],
    done: Sequence[Write],
    *,
    now: datetime,
) -> None:
    # Identified by a fee, which is on one invoice only.
    invoice_id = derived_id("regrouped", paid[0].fee.id)
    fees = [stored.fee.model_copy(update={"invoice_id": invoice_id}) for stored in paid]
    draft = compose.drafted(context, [line], fees, invoice_id=InvoiceId(invoice_id), now=now)
    # No credits: all of it was paid.
    issue = issue_transaction.finalized(replace(context, credits=()), draft, fees, now=now)
    assert issue.invoice is not None, "fees make an invoice"
    invoice = issue.invoice.model_copy(
        update={
            "invoice_type": "advance_charges",
            "payment_status": "succeeded",
            "total_paid_amount_cents": issue.invoice.total_amount_cents,
        }
    )
    moved = [fee_store.replace_action(context.organization.id, old, new) for old, new in zip(paid, fees, strict=True)]
    issue_transaction.carry_out(replace(issue, invoice=invoice, actions=[*moved, *done]), now=now)
