"""Starting and stopping ministack, the emulator of AWS on one machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


# The emulator counts all items of a table anew with every item that it writes, so that it gets slower with each event (a
# quarter of the speed was left at 50,000 events). Nobody reads that count here. Its queues are made fair.
_START = """
from ministack.services import dynamodb
if hasattr(dynamodb, "_update_counts"):
    dynamodb._update_counts = lambda *args, **options: None
from infra.local import fair_queues
fair_queues.install()
from ministack.app import main
main()
"""


class Emulator:
    """One ministack process, bound to 127.0.0.1; with a folder it keeps its state there at a clean stop."""

    def __init__(self, port: int, folder: Path | None, log: Path) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            **CREDENTIALS,
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
        environment.pop("AWS_ENDPOINT_URL", None)
        if folder is not None:
            environment |= {
                "PERSIST_STATE": "1",
                "STATE_DIR": str(folder / "state"),
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(folder / "s3"),
            }
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            env=environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # A Ctrl-C is ours to pass on, last of all.
        )

    def wait_until_up(self, seconds: float = 60) -> None:
        """Return when it answers."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"ministack ended with code {self._process.returncode}; see its log")
            try:
                with urlopen(f"{self.url}/_ministack/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("ministack did not come up")

    def stop(self) -> None:
        """A clean stop: only then is the state saved."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._log.close()


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def taken(port: int) -> bool:
    """Whether something listens there already."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def environment(url: str, port: int, **more: str) -> dict[str, Any]:
    """The variables with which the app runs against an emulator."""
    return {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": url,
        "FILES_URL": url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LOCAL": "1",
        "STAGE": "local",
        **more,
    }
