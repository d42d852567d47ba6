"""Starting and stopping ministack, the emulator of AWS on one machine."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
}


ROOT = Path(__file__).parents[2]

# Time that ministack takes to answer when there is nothing to read.
_START_SECONDS = 60


class NotUp(Exception):
    """The emulator does not answer; the message is for who started it."""


class Emulator:
    """One ministack process, bound to 127.0.0.1; with a folder its state is kept there (`infra.local.keeping`)."""

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
            "EMULATOR_PARENT": str(os.getpid()),
        }
        for name in ("AWS_ENDPOINT_URL", "EMULATOR_FOLDER", "PERSIST_STATE", "S3_PERSIST"):
            environment.pop(name, None)
        self._folder = folder
        if folder is not None:
            environment["EMULATOR_FOLDER"] = str(folder.resolve())
            environment["S3_DATA_DIR"] = str(folder.resolve() / "unused")
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_path, self._log_begins = log, log.stat().st_size if log.exists() else 0
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.emulate"],
                cwd=ROOT,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # A Ctrl-C is ours to pass on, last of all.
            )

    @property
    def process_id(self) -> int:
        """The process that emulates."""
        return self._process.pid

    def wait_until_up(self, tell: Callable[[int, int], None] = lambda seen, total: None) -> None:
        """Return when it answers; meanwhile tell how many items of how many it has read.

        Raises: NotUp, with its last words.
        """
        end, read = time.monotonic() + _START_SECONDS, ""
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise NotUp(self._last_words())
            try:
                with urlopen(f"{self.url}/_ministack/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
            if (now := self._reading()) and now != read:
                end, read = time.monotonic() + _START_SECONDS, now
                tell(*map(int, now.split()))
        raise NotUp(f"The emulator did not come up. See {self._log_path}.")

    def _reading(self) -> str:
        if self._folder is None:
            return ""
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / "reading").read_text()
        return ""

    def _last_words(self) -> str:
        with self._log_path.open("rb") as log:
            log.seek(self._log_begins)
            lines = log.read().decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else "It said nothing."
        return f"The emulator ended with code {self._process.returncode}: {said}"

    def stop(self) -> None:
        """End it. Nothing is saved then: what it answered is kept already."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


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
