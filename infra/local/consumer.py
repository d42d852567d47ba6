"""One queue's worker as a process of its own: metering, printing and the leaps of test clocks take a processor, and must
not slow the API.

python -m infra.local.consumer events meter
python -m infra.local.consumer documents print_documents
python -m infra.local.consumer asked print_asked
python -m infra.local.consumer sandbox sandbox_worker
"""

import os
import signal
import sys
import threading

# Where a processor is scarce, others go first.
_NICE = {"documents": 10, "sandbox": 5}
# A sandbox's small tasks go on while another one's clock leaps.
_THREADS = {"sandbox": 2}


def main(queue: str, handler: str) -> int:
    """Poll the queue until told to stop."""
    parent = int(os.environ.get("STACK_PROCESS", os.getppid()))
    import app
    from chalicelib.platform import aws, queues
    from chalicelib.platform.settings import settings
    from infra.local.workers import QueueWorker

    os.nice(_NICE.get(queue, 0))
    if handler in ("print_documents", "print_asked"):
        try:
            import weasyprint  # noqa: F401  only to see whether its native libraries are there
        except OSError:
            return 3
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    name = str(getattr(settings(), f"{queue}_queue"))
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    workers = [
        QueueWorker(aws.client("sqs"), queues.url(name), arn, getattr(app, handler), stop)
        for _ in range(_THREADS.get(queue, 1))
    ]
    for worker in workers:
        worker.start()
    while not stop.wait(0.5):
        if os.getppid() != parent:
            os._exit(0)  # The stack was killed: nobody is left to stop this, and what it had taken comes again.
    for worker in workers:
        worker.join(30)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
