"""The jobs of collection: payments are charged and followed, and withdrawn where nothing is due any more."""

from datetime import datetime

from chalicelib.features.invoices import service as invoices
from chalicelib.features.payments import telling
from chalicelib.features.payments.collection import charging, starting, tidying
from chalicelib.features.payments.refunds import service as refunds
from chalicelib.platform.agenda import Task, runner


@runner.handles(starting.COLLECT)
def collect(task: Task, now: datetime) -> None:
    """Take a payment one step further."""
    charging.collect(task)


@runner.handles(invoices.TIDY)
def tidy(task: Task, now: datetime) -> None:
    """Withdraw what is not to be collected any more."""
    tidying.tidy(task)


@runner.handles(refunds.REFUND)
def refund(task: Task, now: datetime) -> None:
    """Give back what a credit note refunds."""
    refunds.run(task)


@runner.handles(telling.TELL)
def tell(task: Task, now: datetime) -> None:
    """Make the messages of what became of a payment."""
    telling.run(task)
