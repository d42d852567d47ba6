"""`make listen`: a receiver of messages (PORT=9000). It verifies the signatures of each, looks for gaps in their numbers,
prints a line for each, and answers 200. ARGS=-v prints what they hold as well.

With API_KEY it makes itself an endpoint of that organization at URL (http://127.0.0.1:8000), and takes that back at the end
unless KEEP=1. Keys to verify with: WEBHOOK_SECRET (`whsec_…`; that of an endpoint made here is known), HMAC_KEY, and the
installation's public key, which API_KEY reads.
"""

import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

# A request of the API: method, path below /api/v1, body; its decoded answer.
Api = Callable[[str, str, Any], Any]

# How far the clock of the sender may be from this one. So the specification of Standard Webhooks advises.
_TOLERANCE_SECONDS = 300


@dataclass(frozen=True)
class Keys:
    """What signatures are verified with; what is not known is not verified."""

    public_pem: str | None = None
    hmac_key: str | None = None
    secret: str | None = None


def checks(headers: Mapping[str, str], body: bytes, keys: Keys, *, now: float) -> dict[str, bool | None]:
    """Each signature of a message by its name, and whether it holds; None: not known, for lack of the key. `headers`: by names
    in small letters."""
    found: dict[str, bool | None] = {}
    algorithm = headers.get("x-lago-signature-algorithm", "")
    if algorithm == "jwt":
        found["jwt"] = None if keys.public_pem is None else _jwt_holds(headers, body, keys.public_pem)
    if algorithm == "hmac":
        own = None if keys.hmac_key is None else _mac(keys.hmac_key.encode(), body)
        sent = {headers.get("x-lago-signature", ""), headers.get("x-lago-signature-previous", "")}
        found["hmac"] = None if own is None else any(hmac.compare_digest(own, each) for each in sent)
    if "webhook-signature" in headers:
        found["standard"] = None if keys.secret is None else _standard_holds(headers, body, keys.secret, now)
    return found


def _jwt_holds(headers: Mapping[str, str], body: bytes, public_pem: str) -> bool:
    try:
        claims = jwt.decode(headers.get("x-lago-signature", ""), public_pem, algorithms=["RS256"])
    except jwt.InvalidTokenError:
        return False
    return bool(claims.get("data") == body.decode())


def _standard_holds(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(int(stamp) - now) > _TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    own = _mac(base64.b64decode(secret.removeprefix("whsec_")), signed)
    sent = [each.partition(",") for each in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(own, value) for version, _, value in sent)


def _mac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


@dataclass
class Numbers:
    """The numbers that one endpoint's messages had. What came before the first message is not expected; messages may come in
    any order, and more than once."""

    first: int | None = None
    last: int = 0
    missing: set[int] = field(default_factory=set)

    def note(self, number: int) -> bool:
        """Note a number; whether it is new."""
        if self.first is None:
            self.first, self.last = number, number
            return True
        if number > self.last:
            self.missing |= set(range(self.last + 1, number))
            self.last = number
            return True
        is_new = number in self.missing
        self.missing.discard(number)
        return is_new


class Listener:
    """A receiver at a port of this machine. Endpoints are told apart by the path of their URLs. Stop it by `stop`."""

    def __init__(self, port: int = 0, keys: Keys | None = None, *, say: Callable[[str], None] = print) -> None:
        self.keys, self.numbers, self.wrong = keys or Keys(), dict[str, Numbers](), 0
        # All that came, where `keeps` says so.
        self.messages: list[dict[str, Any]] = []
        self.is_verbose, self.keeps = False, False
        self.said: list[str] = []
        self._say, self._lock = say, threading.Lock()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.receive(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: each message has its line."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Verify a message, and print its line."""
        found = checks(headers, body, self.keys, now=time.time())
        with self._lock:
            try:
                message = json.loads(body)
            except ValueError:
                message = {"webhook_type": "no JSON"}
            number = headers.get("x-tollgate-sequence", "")
            numbers = self.numbers.setdefault(path, Numbers())
            is_new = numbers.note(int(number)) if number.isdigit() else True
            self.wrong += False in found.values() or not found
            if self.keeps:
                self.messages.append(message)
            self._say(_line(message, headers, found, is_new=is_new, missing=numbers.missing))
            if self.is_verbose:
                self._say(json.dumps(message, indent=2, ensure_ascii=False))

    def summary(self) -> list[str]:
        """What is wrong with what came, in lines."""
        lines = [f"{self.wrong} messages with a wrong signature, or none"] if self.wrong else []
        return lines + [f"{path}: missing {_some(each.missing)}" for path, each in self.numbers.items() if each.missing]


_WORDS = {True: "ok", False: "WRONG", None: "not verified"}


def _line(
    message: Mapping[str, Any],
    headers: Mapping[str, str],
    found: Mapping[str, bool | None],
    *,
    is_new: bool,
    missing: set[int],
) -> str:
    number, attempt = headers.get("x-tollgate-sequence", "-"), headers.get("x-tollgate-attempt", "1")
    kind = message.get("object_type", "")
    shown = message.get(kind) if isinstance(message.get(kind), dict) else {}
    words = [
        f"{datetime.now(UTC):%H:%M:%S}",
        f"#{number}",
        str(message.get("webhook_type")),
        str((shown or {}).get("lago_id") or ""),
        ", ".join(f"{name} {_WORDS[holds]}" for name, holds in found.items()) or "NOT SIGNED",
        "" if attempt == "1" else f"attempt {attempt}",
        "" if is_new else "repeated",
        f"MISSING {_some(missing)}" if missing else "",
    ]
    return "  ".join(word for word in words if word)


def _some(numbers: set[int]) -> str:
    shown = ", ".join(map(str, sorted(numbers)[:10]))
    return f"{shown} and {len(numbers) - 10} more" if len(numbers) > 10 else shown


def register(listener: Listener, api: Api) -> str:
    """Make the listener an endpoint of an organization, whose keys it verifies with from then on; the endpoint's id. One that
    an earlier listener left behind is taken over."""
    public = api("GET", "/webhooks/json_public_key", None)["webhook"]["public_key"]
    known = api("GET", "/webhook_endpoints?per_page=100", None)["webhook_endpoints"]
    endpoint, secret = next((each for each in known if each["webhook_url"] == listener.url), None), None
    if endpoint is None:
        made = {"webhook_endpoint": {"webhook_url": listener.url}}
        endpoint = api("POST", "/webhook_endpoints", made)["webhook_endpoint"]
        secret = endpoint.get("secret")  # Said once: later answers mask it.
    secret = listener.keys.secret or secret
    listener.keys = Keys(base64.b64decode(public).decode(), listener.keys.hmac_key, secret)
    return str(endpoint["lago_id"])


def over_http(url: str, key: str) -> Api:
    """The API at a URL, with a key."""

    def call(method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{url}/api/v1{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    return call


def main() -> int:
    """Listen until Ctrl-C; 1 where something was wrong with what came."""
    asked = os.environ
    keys = Keys(hmac_key=asked.get("HMAC_KEY") or None, secret=asked.get("WEBHOOK_SECRET") or None)
    listener = Listener(int(asked.get("PORT") or 9000), keys, say=lambda line: print(line, flush=True))
    listener.is_verbose = "-v" in sys.argv
    api = over_http((asked.get("URL") or "http://127.0.0.1:8000").rstrip("/"), asked.get("API_KEY") or "")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    endpoint_id = None
    try:
        if asked.get("API_KEY"):
            endpoint_id = register(listener, api)
        print(f"Listening on {listener.url}; Ctrl-C ends it.", flush=True)
        threading.Event().wait()
    except urllib.error.URLError as error:
        print(f"No endpoint was made: {error}")
        return 1
    except KeyboardInterrupt:
        print()
    finally:
        if endpoint_id is not None and asked.get("KEEP") != "1":
            with suppress(urllib.error.URLError):
                api("DELETE", f"/webhook_endpoints/{endpoint_id}", None)
        listener.stop()
    print("\n".join(listener.summary() or ["Nothing was wrong."]))
    return 1 if listener.summary() else 0


if __name__ == "__main__":
    sys.exit(main())
