"""The jobs of payment providers: endpoints that are not needed any more are removed there."""

from datetime import datetime

from chalicelib.features.payments.connections import retiring
from chalicelib.platform.agenda import Task, runner


@runner.handles(retiring.RETIRE)
def retire(task: Task, now: datetime) -> None:
    """Remove an endpoint at a provider."""
    retiring.retire(task)
