"""The print worker as a process of its own: drawing a PDF takes a processor for a while, and must not slow the API."""

import os
import signal
import sys
import threading


def main() -> int:
    """Poll the queue of documents until told to stop."""
    os.nice(10)
    try:
        import weasyprint  # noqa: F401  only to see whether its native libraries are there
    except OSError:
        return 3
    from app import print_documents
    from chalicelib.platform import aws, queues
    from chalicelib.platform.settings import settings
    from infra.local.workers import QueueWorker

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name = settings().documents_queue
    worker = QueueWorker(
        aws.client("sqs"), queues.url(name), f"arn:aws:sqs:us-east-1:000000000000:{name}", print_documents, stop
    )
    worker.start()
    while not stop.wait(1):
        if os.getppid() == 1:  # The stack was killed: nobody is left to stop this.
            return 0
    worker.join(30)
    return 0


if __name__ == "__main__":
    sys.exit(main())
