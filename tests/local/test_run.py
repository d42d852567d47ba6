"""`make run` as a whole: stopped, killed and started again, at whatever instant."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from infra.local.emulator import ROOT, free_port, taken
from infra.local.lock import holder
from tests.support.make_run import MakeRun


@pytest.fixture
def stack(tmp_path) -> Iterator[MakeRun]:
    made = MakeRun(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    assert made.nothing_is_left()


def _sell(stack: MakeRun) -> None:
    stack.ok("PUT", "test_clock", {"test_clock": {"now": "2024-01-01T00:00:00Z"}})
    metric = {"name": "Calls", "code": "calls", "aggregation_type": "count_agg"}
    made = stack.ok("POST", "billable_metrics", {"billable_metric": metric})["billable_metric"]
    charge = {"billable_metric_id": made["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    plan = {
        "name": "P",
        "code": "p",
        "interval": "monthly",
        "amount_cents": 0,
        "amount_currency": "EUR",
        "charges": [charge],
    }
    stack.ok("POST", "plans", {"plan": plan})
    stack.ok("POST", "customers", {"customer": {"external_id": "c", "currency": "EUR"}})
    stack.ok(
        "POST", "subscriptions", {"subscription": {"external_customer_id": "c", "plan_code": "p", "external_id": "s"}}
    )


def _units(stack: MakeRun) -> float:
    found = stack.ok("GET", "customers/c/current_usage?external_subscription_id=s")
    return float(found["customer_usage"]["charges_usage"][0]["units"])


def _counted(stack: MakeRun, accepted: int, seconds: float = 60) -> float:
    end = time.monotonic() + seconds
    while (units := _units(stack)) < accepted and time.monotonic() < end:
        time.sleep(0.2)
    return units


class Flood:
    """Clients that send batches of events for as long as somebody answers."""

    def __init__(self, stack: MakeRun, name: str) -> None:
        self._stack, self._name = stack, name
        self.accepted, self.sent = 0, 0
        self.others: list[requests.Response] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(4)]
        for thread in self._threads:
            thread.start()

    def _send(self, worker: int) -> None:
        number = 0
        while True:
            number += 1
            names = [f"{self._name}-{worker}-{number}-{n}" for n in range(20)]
            events = [{"transaction_id": name, "external_subscription_id": "s", "code": "calls"} for name in names]
            with self._lock:
                self.sent += len(events)
            try:
                answer = self._stack.call("POST", "events/batch", {"events": events})
            except requests.RequestException:
                return
            with self._lock:
                if answer.status_code == 200:
                    self.accepted += len(events)
                else:
                    self.others.append(answer)

    def join(self) -> None:
        """Wait until nobody is answered any more."""
        for thread in self._threads:
            thread.join(60)


def test_killed_again_and_again_it_counts_what_it_accepted(stack):
    _sell(stack.wait_until_up())
    chance, accepted, sent = random.Random(5), 0, 0
    for life in range(3):
        flood = Flood(stack, str(life))
        time.sleep(0.5 + chance.random())
        stack.end(signal.SIGKILL)
        flood.join()
        assert stack.nothing_is_left()
        accepted, sent = accepted + flood.accepted, sent + flood.sent
        stack.begin()
        stack.wait_until_up()
    assert accepted > 100
    # What was not answered may have been accepted: the client would send it again, and it would count once.
    assert accepted <= _counted(stack, accepted) <= sent


def test_while_it_stops_it_finishes_what_it_began_and_tells_all_others_to_come_again(stack):
    _sell(stack.wait_until_up())
    flood = Flood(stack, "f")
    time.sleep(1)
    assert stack.end(signal.SIGTERM) == 0
    flood.join()
    assert stack.nothing_is_left()
    expected = {"status": 503, "error": "Service Unavailable", "code": "stopping"}
    assert [answer.json() for answer in flood.others] == [expected] * len(flood.others)
    stack.begin()
    stack.wait_until_up()
    assert flood.accepted > 0
    assert flood.accepted <= _counted(stack, flood.accepted) <= flood.sent


def test_a_second_copy_in_the_folder_says_who_is_there_and_touches_nothing(stack):
    stack.wait_until_up()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PORT": str(free_port())}
    second = subprocess.run(
        [sys.executable, "-m", "infra.local.run"], cwd=stack.folder, env=environment, capture_output=True, text=True
    )
    assert second.returncode == 1
    assert f"process {stack.process.pid}, http://127.0.0.1:{stack.port}." in second.stderr
    reset = subprocess.run(
        [sys.executable, "-m", "infra.local.reset"],
        cwd=stack.folder,
        env=environment | {"FORCE": "1"},
        capture_output=True,
        text=True,
    )
    assert (reset.returncode, "Stop it first" in reset.stderr) == (1, True)
    assert stack.call("GET", "organizations").status_code == 200


def test_an_emulator_that_hangs_is_ended_by_the_next_start(stack):
    stack.wait_until_up()
    emulator = holder(stack.folder / ".local" / "emulator" / "lock")
    assert emulator is not None
    os.kill(emulator, signal.SIGSTOP)
    stack.end(signal.SIGKILL)
    stack.begin()
    stack.wait_until_up()
    assert f"left behind (process {emulator})" in stack.said.read_text()


def test_interrupted_at_any_instant_of_its_start_it_leaves_nothing_behind(stack):
    for seconds in (0.1, 0.3, 0.6, 1.0, 1.5, 2.2):
        time.sleep(seconds)
        assert stack.end(signal.SIGINT) in (0, 130, -signal.SIGINT)
        assert stack.nothing_is_left()
        assert not taken(stack.port)
        stack.begin()
    stack.wait_until_up()


def test_reset_says_what_goes_and_begins_anew(stack):
    stack.wait_until_up()
    key = (stack.folder / ".local" / "api_key").read_text()
    stack.end(signal.SIGTERM)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "FORCE")}
    command = [sys.executable, str(ROOT / "infra" / "local" / "reset.py")]
    environment["PYTHONPATH"] = str(ROOT)

    def reset(**more: str) -> tuple[int, str]:
        done = subprocess.run(
            command, cwd=stack.folder, env=environment | more, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return done.returncode, done.stdout

    code, said = reset()
    assert (code, (stack.folder / ".local").exists()) == (1, True)
    assert re.search(r"removes .*\.local \([\d.]+ MB\) for good", said)
    assert reset(FORCE="1")[0] == 0
    assert not (stack.folder / ".local").exists()
    stack.begin()
    stack.wait_until_up()
    assert (stack.folder / ".local" / "api_key").read_text() != key
    assert json.loads(requests.get(f"http://127.0.0.1:{stack.port}/health", timeout=10).text)["status"] == "ok"


def test_the_demo_member_logs_in_and_stays_the_same(stack):
    stack.wait_until_up()
    said = stack.said.read_text()
    found = re.search(r"Console +(\S+)\n +E-mail +(\S+)\n +Password +(\S+)\n", said)
    assert found is not None, said
    address, email, password = found.groups()
    origin = f"http://127.0.0.1:{stack.port}"
    with requests.Session() as session:
        form = {"email": email, "password": password}
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        session.post(f"{origin}/console/login", data=form, headers=headers, timeout=60)
        assert "First steps" in session.get(address, timeout=60).text
    place = stack.folder / ".local" / "demo_password"
    assert place.stat().st_mode & 0o777 == 0o600
    stack.end(signal.SIGTERM)
    stack.begin()
    stack.wait_until_up()
    assert found[0] in stack.said.read_text()
