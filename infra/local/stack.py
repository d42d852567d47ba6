"""The whole system in this process: emulator, HTTP server, queue workers, tick."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import waitress

from infra.local import provision
from infra.local.emulator import Emulator
from infra.local.gate import Gate
from infra.local.gateway import Channel, Gateway
from infra.local.workers import QueueWorker, Ticker

# Above our own limit of a body, so that it is our 413 that answers.
_SERVER_BODY_MAX = 64 * 1024 * 1024
# Work under way at a stop may take so long (a test clock that leaps).
_FINISHED_WITHIN_SECONDS = 60


# Workers of webhooks: an endpoint that hangs keeps one of them for as long as an attempt may take.
_DELIVERIES = 10
# Workers of tasks that wait for payment providers, likewise; each carries ten of them out at once.
_PROVIDER_CALLS = 4

# Queues and handlers that have a process of their own.
_CONSUMERS = (
    ("events", "meter"),
    ("documents", "print_documents"),
    ("asked", "print_asked"),
    ("sandbox", "sandbox_worker"),
)


class Stack:
    """Everything that runs. The environment must name the emulator before this is made."""

    def __init__(self, emulator: Emulator, *, port: int, folder: Path) -> None:
        # Only now: the app reads its settings when it is imported.
        from app import app, call_providers, deliver, worker
        from chalicelib import wiring
        from chalicelib.platform import aws, queues
        from chalicelib.platform.settings import settings

        self._emulator, self._stop = emulator, threading.Event()
        own, sqs = settings(), aws.client("sqs")
        provision.tables(aws.client("dynamodb"), own.stage)
        provision.queues(sqs, own.stage)
        provision.files(aws.client("s3"), own.stage, own.files_bucket)
        provision.key(aws.client("kms"), own.stage)
        self._gate = Gate(Gateway(app))
        # Requests that wait for a thread are no news.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server: Any = waitress.create_server(
            self._gate, host="127.0.0.1", port=port, threads=16, max_request_body_size=_SERVER_BODY_MAX, ident=None
        )
        self._server.channel_class = Channel
        handlers = (
            (own.jobs_queue, worker, 2),
            (own.webhooks_queue, deliver, _DELIVERIES),
            (own.providers_queue, call_providers, _PROVIDER_CALLS),
        )
        self._threads: list[threading.Thread] = [
            QueueWorker(sqs, queues.url(name), f"arn:aws:sqs:us-east-1:000000000000:{name}", handler, self._stop)
            for name, handler, number in handlers
            for _ in range(number)
        ]
        self._threads.append(Ticker(wiring.tick, self._stop))
        self._consumers: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "consumers.log").open("ab")

    def start(self) -> None:
        """Start everything in the background."""
        for queue, handler in _CONSUMERS:
            command = [sys.executable, "-m", "infra.local.consumer", queue, handler]
            variables = {**os.environ, "STACK_PROCESS": str(os.getpid())}
            self._consumers.append(subprocess.Popen(command, env=variables, stdout=self._log, stderr=subprocess.STDOUT))
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._server.run, daemon=True).start()

    def stop(self) -> None:
        """A clean stop: requests under way first, all others are refused meanwhile; the emulator last."""
        self._gate.close(_FINISHED_WITHIN_SECONDS)
        self._stop.set()
        for consumer in self._consumers:
            consumer.terminate()
        for consumer in self._consumers:
            try:
                consumer.wait(30)
            except subprocess.TimeoutExpired:
                consumer.kill()
        for thread in self._threads:
            thread.join(10)
        self._server.close()
        self._emulator.stop()
        self._log.close()
