"""`make run`: the whole system on 127.0.0.1, with a demo organization."""

import contextlib
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from infra.local import fake_providers, lock
from infra.local.emulator import Emulator, NotUp, environment, free_port, taken

if TYPE_CHECKING:
    from infra.local.demo_member import DemoMember

FOLDER = Path(".local")
_LEFT_BEHIND_SECONDS = 5


def main() -> int:
    """Run until interrupted."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.default_int_handler)
    try:
        with contextlib.ExitStack() as at_the_end:
            return _run(at_the_end)
    except KeyboardInterrupt:
        print("Ended while starting.", file=sys.stderr)
        return 130
    except NotUp as problem:
        print(problem, file=sys.stderr)
        return 1


def _run(at_the_end: contextlib.ExitStack) -> int:
    port = int(os.environ.get("PORT", "8000"))
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    FOLDER.chmod(0o700)  # Also one that was made before.
    try:
        at_the_end.enter_context(lock.hold(FOLDER / "lock", f"http://127.0.0.1:{port}"))
    except lock.Held as held:
        print(_TWO_COPIES.format(process=held.process, url=held.about, folder=FOLDER.resolve()), file=sys.stderr)
        return 1
    if taken(port):
        print(f"Port {port} is in use. Is Tollgate running already? PORT=... changes it.", file=sys.stderr)
        return 1
    _end_what_was_left_behind()
    admin_key = os.environ.get("ADMIN_API_KEY") or _kept("admin_api_key")
    # Also a key that was given, so that the demo finds it.
    keep_secret(FOLDER / "admin_api_key", admin_key)
    emulator = Emulator(_emulator_port(), FOLDER / "emulator", FOLDER / "emulator.log")
    at_the_end.callback(emulator.stop)
    emulator.wait_until_up(_tell_progress)
    fakes = None
    if fake_providers.wanted():
        fakes = fake_providers.start()
        at_the_end.callback(fakes.stop)
        os.environ.update(fakes.environment())
    os.environ.update(environment(emulator.url, port, ADMIN_API_KEY=admin_key))
    from infra.local.stack import Stack

    stack = Stack(emulator, port=port, folder=FOLDER)
    at_the_end.callback(stack.stop)
    stack.start()
    api_key = _demo_organization(port, admin_key)
    from infra.local import demo_member

    _greet(port, admin_key, api_key, demo_member.found_or_made(api_key, FOLDER / "demo_password"))
    if fakes is not None:
        fakes.connect(f"http://127.0.0.1:{port}", api_key)
        print(fakes.text(), flush=True)
    _wait_for_a_signal()
    print("Stopping: what is under way is finished first (Ctrl-C again: at once). All is kept in .local/.", flush=True)
    return 0


_TWO_COPIES = """\
Tollgate is running already in this folder: process {process}, {url}.
Its state is in {folder}, which two cannot share. Stop it first (Ctrl-C there, or `kill {process}`).\
"""


def _end_what_was_left_behind() -> None:
    """An emulator whose stack was killed ends by itself; one that hangs is ended before another one takes its folder."""
    found = lock.end_holder(FOLDER / "emulator" / "lock", _LEFT_BEHIND_SECONDS)
    if found is not None:
        print(f"Ended an emulator that a killed stack had left behind (process {found}).", flush=True)


def _tell_progress(seen: int, total: int) -> None:
    print(f"Reading what is kept in .local/: {seen:,} of {total:,} items", flush=True)


def _wait_for_a_signal() -> None:
    """Return at the first signal; a second one ends this process at once, which loses nothing that was answered."""
    stop = threading.Event()

    def note(*_: object) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, note)
    stop.wait()


def _kept(name: str) -> str:
    """A secret made once and kept in `.local/`."""
    place = FOLDER / name
    if not place.exists():
        keep_secret(place, secrets.token_hex(24))
    return place.read_text().strip()


def keep_secret(place: Path, text: str) -> None:
    """Write a file that nobody else on the machine may read, at no moment."""
    place.unlink(missing_ok=True)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _emulator_port() -> int:
    """The same port each time, so that links made before a restart stay good; another one where it is taken."""
    place = FOLDER / "emulator_port"
    port = int(place.read_text()) if place.exists() else free_port()
    if taken(port):
        port = free_port()
    place.write_text(str(port))
    return port


def _demo_organization(port: int, admin_key: str) -> str:
    """The demo organization's key; made at the first start, with `API_KEY` as its key where that is set."""
    wanted = os.environ.get("API_KEY") or _stored_key()
    base = f"http://127.0.0.1:{port}"
    if wanted and _answers(f"{base}/api/v1/organizations", wanted):
        return wanted
    body: dict[str, Any] = {"name": "Demo", "email": "demo@example.com", "sandbox": True}
    if wanted:
        body["api_key"] = wanted
    request = Request(
        f"{base}/admin/organizations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "X-Admin-API-Key": admin_key},
    )
    with urlopen(request, timeout=60) as answer:
        api_key = str(json.load(answer)["api_key"])
    keep_secret(FOLDER / "api_key", api_key)
    return api_key


def _stored_key() -> str | None:
    place = FOLDER / "api_key"
    return place.read_text().strip() if place.exists() else None


def _answers(url: str, api_key: str) -> bool:
    try:
        with urlopen(Request(url, headers={"Authorization": f"Bearer {api_key}"}), timeout=60):
            return True
    except OSError:
        return False


def _greet(port: int, admin_key: str, api_key: str, member: "DemoMember") -> None:
    print(
        f"""
Tollgate is running.

  Console    http://127.0.0.1:{port}/console/{member.place}
  E-mail     {member.email}
  Password   {member.password}

  API        http://127.0.0.1:{port}/api/v1
  API key    {api_key}      (demo organization, a sandbox with a test clock)
  Admin key  {admin_key}

Try it:
  curl -s http://127.0.0.1:{port}/api/v1/organizations -H "Authorization: Bearer {api_key}"

A page  http://127.0.0.1:{port}/   and README.md say where to go. Ctrl-C stops it; what was answered is kept in .local/.
""",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
