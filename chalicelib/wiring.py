"""Composition of the app: the routes of all resources, the task handlers, and the work of its functions.

A process serves one function, and few routes of it in its first second: what each of them needs is imported when it is
called first (docs/decisions/0031).
"""

from collections.abc import Callable, Sequence
from typing import Any

from chalicelib import api
from chalicelib.api import routes
from chalicelib.console import routes as console
from chalicelib.platform import clock, declaring, http, log, queues, throttled
from chalicelib.platform.log import logger
from chalicelib.platform.queues import Record

BLUEPRINTS = [http.blueprint(http.learn(routes.TABLE, api.__name__)), console.blueprint]


def _declare_tasks() -> None:
    from chalicelib.tasks import kinds  # noqa: F401  importing it declares all kinds of task and their handlers


declaring.declared_by(_declare_tasks)


def meter(records: Sequence[Record]) -> dict[str, Any]:
    """Count the events of a batch; the answer names the records to deliver again."""
    from chalicelib.features.metering import messages

    return _answer(messages.handle, records)


def work(records: Sequence[Record]) -> dict[str, Any]:
    """Carry out the tasks of a batch; the answer names the messages to deliver again."""
    from chalicelib.tasks import worker

    return _answer(worker.handle, records)


def deliver(records: Sequence[Record]) -> dict[str, Any]:
    """Run the tasks of a batch all at once: each of them mostly waits for an endpoint's server."""
    from chalicelib.tasks import worker

    return _answer(worker.handle_at_once, records)


def call_providers(records: Sequence[Record]) -> dict[str, Any]:
    """Run the tasks of a batch all at once: each of them mostly waits for a payment provider."""
    from chalicelib.tasks import worker

    return _answer(worker.handle_at_once, records)


def tick() -> None:
    """Find what is due until the next tick and push it."""
    from chalicelib.tasks import worker

    worker.tick(real_now=clock.utc_now())
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
