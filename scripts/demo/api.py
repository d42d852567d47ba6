"""The demo's way to Tollgate: the official client where it has a call, plain HTTP for the rest."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests
from lago_python_client import Client


class Api:
    """One organization of a running Tollgate."""

    def __init__(self, base: str, api_key: str) -> None:
        self.base, self.key = base, api_key
        self.client = Client(api_key=api_key, api_url=base)
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {api_key}"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call that must succeed; its decoded body, None for an empty one."""
        answer = self._session.request(method, f"{self.base}/api/v1{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def move_clock(self, to: str) -> None:
        """Move the test clock, and wait until it has arrived."""
        clock = self.call("PUT", "/test_clock", {"test_clock": {"now": to}})["test_clock"]
        while clock["status"] != "ready":
            time.sleep(0.2)
            clock = self.call("GET", "/test_clock")["test_clock"]
        if clock.get("failed_tasks"):
            raise RuntimeError(f"tasks failed: {clock['failed_tasks']}")


class LocalStack:
    """A Tollgate to talk to: the one that runs, or one started for the demo and stopped after it."""

    def __init__(self) -> None:
        self.base = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
        self._process: subprocess.Popen[bytes] | None = None
        self.was_running = self._answers()
        if not self.was_running:
            print("Nothing runs here yet: starting Tollgate for the demo ...")
            self._process = subprocess.Popen([sys.executable, "-m", "infra.local.run"], stdout=subprocess.DEVNULL)
            while not self._answers():
                if self._process.poll() is not None:
                    raise RuntimeError("Tollgate did not start; try `make run`")
                time.sleep(0.3)
            time.sleep(2)  # It makes its own demo organization first.

    def organization(self) -> Api:
        """A new sandbox organization."""
        key = os.environ.get("ADMIN_API_KEY") or Path(".local/admin_api_key").read_text().strip()
        body = {"name": "New York Airports", "email": "billing@airports.example", "sandbox": True}
        answer = requests.post(
            f"{self.base}/admin/organizations", json=body, headers={"X-Admin-API-Key": key}, timeout=60
        )
        answer.raise_for_status()
        return Api(self.base, answer.json()["api_key"])

    def stop(self) -> None:
        """Stop what was started here."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(90)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.base}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False
