"""Renewals of charges that no invoice bills: standalone fees, made at once even while the invoice of that day is a draft.

There may be one per filter and group, more than a transaction holds, so a task makes them. Source: rules/usage 7.1.
"""

from datetime import datetime

from chalicelib.features.customers import store as customer_store
from chalicelib.features.fees import service as fees
from chalicelib.features.fees import store as fee_store
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import active_parts
from chalicelib.features.rating import billing_context, tax_resolver
from chalicelib.features.rating.pricing import LineItemContext
from chalicelib.features.rating.renewals import fee_of, row_of, used_at
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import InvoiceId, derived_id
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Unit

# Each takes three places of a transaction's 100: itself, its days, and its announcement.
_FEES_AT_ONCE = 25


def renew(task: Task, now: datetime) -> None:
    """Make the standalone fees of a billing day; those that an earlier run made stay as they are."""
    own = organizations.get(task.organization.id)
    context = billing_context.read(own, customer_store.everything_of(own.id, task.detail["customer_id"]))
    found, plan, part = row_of(task)
    assert part.renewal is not None, "only renewals make the task"
    charges = [
        (charge, metric)
        for charge, metric in active_parts.live_charges(plan, active_parts.metrics_of(own.id, [plan]))
        if not charge.invoiceable
    ]
    # In the place of an invoice's id, from which the ids of its fees are derived.
    base_id = derived_id("renewal", found.id, stamp(part.renewal.start))
    owner = LineItemContext(found, plan, part, InvoiceId(base_id), now)
    taxes = tax_resolver.read(context, [plan])
    made = [
        fee_of(used, owner, taxes).model_copy(update={"invoice_id": None, "pay_in_advance": True})
        for used in used_at(context, found, charges, part.renewal)
    ]
    known = fee_store.known(own.id, [fee.id for fee in made])
    left = [fee for fee in made if fee.id not in known]
    for start in range(0, len(left), _FEES_AT_ONCE):
        some = left[start : start + _FEES_AT_ONCE]
        created = [task for fee in some for task in fees.created(own.ref, fee, fee.payment_status, now=now)]
        Unit([*fee_store.create_actions(own.id, some), *(agenda.put(each, now=now) for each in created)]).commit()
        agenda.push(created)
    agenda.done(task).alone()
