"""The billing of a customer, making drafts final, and charging single events."""

from datetime import datetime

from chalicelib.features.audit import late
from chalicelib.features.customers import service as customers
from chalicelib.features.invoicing import event_charges, regroup, run, standalone_renewals
from chalicelib.features.invoicing import finalize as finalizing
from chalicelib.features.invoicing.drafts import FINALIZE
from chalicelib.features.metering.advance import CHARGE_EVENT
from chalicelib.features.rating.renewals import REGROUP, RENEW
from chalicelib.platform.agenda import Task, runner


@runner.handles(customers.BILL)
def bill(task: Task, now: datetime) -> None:
    """Bill what is due for a customer's subscriptions."""
    run.bill(task, now)


@runner.handles(FINALIZE)
def finalize(task: Task, now: datetime) -> None:
    """Make a draft final at the end of its grace period."""
    finalizing.finalize(task, now)


@runner.handles(customers.CLOSE)
def close(task: Task, now: datetime) -> None:
    """End a deleted customer's coupons and wallets, once it is billed."""
    finalizing.close(task, now)


@runner.handles(CHARGE_EVENT)
def charge_event(task: Task, now: datetime) -> None:
    """Charge an event of a code that is paid in advance."""
    event_charges.charge(task, now)


@runner.handles(RENEW)
def renew(task: Task, now: datetime) -> None:
    """Make the standalone fees of a billing day's renewals."""
    standalone_renewals.renew(task, now)


@runner.handles(REGROUP)
def regroup_paid_fees(task: Task, now: datetime) -> None:
    """Gather paid standalone fees on an invoice."""
    regroup.regroup(task, now)


@runner.handles(late.WATCH)
def count_late_events(task: Task, now: datetime) -> None:
    """Count events that came after their invoice."""
    late.count(task, now)
