"""Table of contents: the app, its blueprints, its handlers. No logic."""

import gc
from typing import Any

# Imported modules stay for good: looking for garbage in it meanwhile takes as long as a tenth of the imports.
gc.disable()

from chalice.app import Chalice

from chalicelib import wiring
from chalicelib.platform.settings import settings

app = Chalice(app_name="tollgate")

for _blueprint in wiring.BLUEPRINTS:
    app.register_blueprint(_blueprint)


@app.on_sqs_message(queue=settings().events_queue, batch_size=100, name="meter")
def meter(event: Any) -> dict[str, Any]:
    """Count accepted events."""
    return wiring.meter(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().jobs_queue, batch_size=10, name="worker")
def worker(event: Any) -> dict[str, Any]:
    """Carry out tasks of the agenda."""
    return wiring.work(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().sandbox_queue, batch_size=1, name="sandbox_worker")
def sandbox_worker(event: Any) -> dict[str, Any]:
    """Carry out tasks of sandboxes, the leaps of their clocks among them."""
    return wiring.work(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().documents_queue, batch_size=1, name="print_documents")
def print_documents(event: Any) -> dict[str, Any]:
    """Draw PDFs."""
    return wiring.work(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().asked_queue, batch_size=1, name="print_asked")
def print_asked(event: Any) -> dict[str, Any]:
    """Draw PDFs that somebody waits for."""
    return wiring.work(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().webhooks_queue, batch_size=10, name="deliver")
def deliver(event: Any) -> dict[str, Any]:
    """Deliver webhooks."""
    return wiring.deliver(event.to_dict()["Records"])


@app.on_sqs_message(queue=settings().providers_queue, batch_size=10, name="call_providers")
def call_providers(event: Any) -> dict[str, Any]:
    """Carry out tasks that wait for payment providers."""
    return wiring.call_providers(event.to_dict()["Records"])


@app.schedule("rate(15 minutes)", name="tick")
def tick(event: Any) -> None:
    """Push what is due."""
    wiring.tick()


gc.freeze()
gc.enable()
