"""A `make run` in a folder of its own, as a process."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests

from infra.local.emulator import ROOT, free_port


class MakeRun:
    """A `make run` over a folder of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.port, self.environment = folder, free_port(), environment
        self.said = folder / "said"
        self.process = self.begin()

    def begin(self) -> subprocess.Popen[bytes]:
        """Start it, without waiting."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STAGE"))}
        environment |= {"PYTHONPATH": str(ROOT), "PORT": str(self.port), **self.environment}
        for name in ("ADMIN_API_KEY", "API_KEY", "LOCAL", "PUBLIC_URL", "FILES_URL"):
            environment.pop(name, None)
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.run"], cwd=self.folder, env=environment, stdout=out, stderr=out
            )
        return self.process

    def wait_until_up(self) -> "MakeRun":
        """Return when it has greeted."""
        end = time.monotonic() + 90
        while "Tollgate is running." not in self.said.read_text():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.05)
        return self

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """A request to its API."""
        key = (self.folder / ".local" / "api_key").read_text()
        return requests.request(
            method,
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """A request that succeeds; its decoded body."""
        answer = self.call(method, path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, way: int, seconds: float = 60) -> int:
        """Send a signal and wait; the code with which it ended."""
        self.process.send_signal(way)
        return self.process.wait(seconds)

    def left(self) -> list[str]:
        """Command lines of processes that work in the folder."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                about = (place / "environ").read_bytes() + (place / "cwd").readlink().as_posix().encode()
            except OSError:
                continue  # It ended meanwhile.
            if "infra.local" in command and str(self.folder).encode() in about:
                found.append(command)
        return found

    def nothing_is_left(self, seconds: float = 60) -> bool:
        """Whether all its processes end within so many seconds."""
        end = time.monotonic() + seconds
        while (left := self.left()) and time.monotonic() < end:
            time.sleep(0.05)
        return not left
