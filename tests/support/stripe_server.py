"""A fake of Stripe, as strict as its official library's types, with its idempotency, test cards and signed events.

    server = stripe_server.start()          # server.url, server.fake, server.stop()
    python -m tests.support.stripe_server 12111

Control routes of its own, beside those of `providers/frame.py` (`key`: the secret whose account is meant):

    POST complete {key, id, number}         pay, or leave a card, on a Checkout page; or pass 3-D Secure of an intent
    POST move {key, id, status, ...}        an intent, refund or dispute gets a status
    POST settle {key}                       bank debits are paid, or come back
    POST refund {key, id, amount}           somebody refunds in the dashboard
    POST emit {ids, reverse, copies, delay, post, forged, unsigned, shift, secret}      send events
    POST automatic {on}                     events are sent by themselves, until they are taken
    POST forget {key, id}                   an endpoint is gone
"""

import hashlib
import hmac
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import stripe

from tests.support.providers.frame import Answer, Asked, Fake, Problem, Running
from tests.support.providers.sending import How, Sender, Signed, Told
from tests.support.providers.stripe_account import OLD_SHAPE, Account, Object
from tests.support.providers.stripe_calls import CALLS, complete, match
from tests.support.providers.stripe_pages import page
from tests.support.providers.stripe_types import form, refused

KEY_KEPT_SECONDS = 24 * 3600


class StripeFake(Fake):
    """Stripe."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = {}
        self.sender = Sender(self._sign)

    def account(self, secret: str) -> Account:
        """The account of a secret; each secret has its own."""
        if secret not in self.accounts:
            self.accounts[secret] = Account(secret, lambda: int(self.now().timestamp()), self.sender.add)
            self.accounts[secret].url = self.url
        return self.accounts[secret]

    def handle(self, asked: Asked) -> Answer:
        """Who calls, whether the key was used before, then the call."""
        with self.lock:
            try:
                self._known(asked)
                return self._once(asked) if asked.method == "POST" else self._called(asked)
            except Problem as problem:
                return problem.answer

    def broken(self, kind: str, asked: Asked) -> Answer:
        """Errors that have nothing to do with what was asked."""
        if kind == "502":
            return Answer(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
        if kind in ("odd", "empty"):
            return Answer(400, {"error": None}) if kind == "odd" else Answer(200, {})
        status, error = {
            "429": (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}),
            "503": (503, {"type": "api_error", "message": "Unavailable."}),
            "500": (500, {"type": "api_error", "message": "Something went wrong on Stripe's end."}),
            "409": (409, _in_use()),
            "echo": (400, {"type": "invalid_request_error", "message": f"You sent {asked.secret}."}),
        }[kind]
        return Answer(status, {"error": error}, {"Retry-After": "7"} if status == 429 else {})

    def begin(self, asked: Asked) -> bool:
        """Under the key something is going on."""
        keys, now = self.account(asked.secret).keys, int(self.now().timestamp())
        if asked.key in keys and now - keys[asked.key][1] < KEY_KEPT_SECONDS:
            return False
        if asked.key:
            keys[asked.key] = (_print(asked), now, None)
            self.put_off(lambda: keys.pop(asked.key, None))
        return True

    def store(self, asked: Asked, answer: Answer) -> None:
        """Whatever was done, this is what the key answers from now on."""
        self.account(asked.secret).keys[asked.key] = (_print(asked), int(self.now().timestamp()), answer)

    def page(self, asked: Asked) -> Answer | None:
        """Checkout."""
        with self.lock:
            return page(self.accounts.values(), asked) if asked.path.startswith("/pay/") else None

    def after(self) -> None:
        """Send what is new."""
        self.sender.after()

    def control(self, name: str, said: dict[str, Any]) -> Any:
        """As the head of this module says."""
        if name == "emit":
            return self.sender.emit(**said)
        if name == "automatic":
            self.sender.automatic = bool(said["on"])
            return {}
        account = self.account(said.pop("key"))
        if name == "complete":
            return complete(account, said["id"], said.get("number", "4242424242424242"))
        if name == "move":
            return account.move(said.pop("id"), said.pop("status"), **said)
        if name == "settle":
            return account.settle()
        if name == "refund":
            return account.refund(account.objects[said["id"]], said.get("amount"))
        if name == "forget":
            return account.objects.pop(said["id"])
        raise KeyError(name)

    def _known(self, asked: Asked) -> None:
        secret = asked.secret
        if not secret.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")) or secret in self.revoked:
            message = f"Invalid API Key provided: {secret[:8]}****{secret[-4:]}"
            raise Problem(Answer(401, {"error": {"type": "invalid_request_error", "message": message}}))
        if not self.allowed(asked):
            message = "The provided key does not have the required permissions for this endpoint."
            raise Problem(Answer(403, {"error": {"type": "invalid_request_error", "message": message}}))
        if asked.headers.get("stripe-version") != stripe.api_version:
            raise refused(f"Invalid Stripe API version: {asked.headers.get('stripe-version')}")
        form_sent = asked.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        if asked.body and not form_sent:
            raise refused("Invalid request: the body is no form.")
        if asked.method == "POST" and not 1 <= len(asked.key) <= 255:
            raise refused("Idempotency keys have 1 to 255 characters.")

    def _once(self, asked: Asked) -> Answer:
        keys, now = self.account(asked.secret).keys, int(self.now().timestamp())
        known = keys.get(asked.key)
        if known is not None and now - known[1] < KEY_KEPT_SECONDS:
            shape, _, stored = known
            if shape != _print(asked):
                message = "Keys for idempotent requests can only be used with the same parameters."
                raise Problem(Answer(400, {"error": {"type": "idempotency_error", "message": message}}))
            if stored is None:
                raise Problem(Answer(409, {"error": _in_use()}))
            return Answer(stored.status, stored.body, {**stored.headers, "Idempotent-Replayed": "true"})
        try:
            answer = self._called(asked)
        except Problem as problem:
            if not problem.stored:
                raise
            answer = problem.answer
        kept = Answer(answer.status, json.loads(json.dumps(answer.body)), answer.headers)
        keys[asked.key] = (_print(asked), now, kept)
        return kept

    def _called(self, asked: Asked) -> Answer:
        found, ids = match(asked.call)
        if found is None:
            message = f"Unrecognized request URL ({asked.method}: {asked.path})."
            raise Problem(Answer(404, {"error": {"type": "invalid_request_error", "message": message}}))
        sent = form(asked.body.decode() if asked.method == "POST" else asked.query)
        return Answer(200, CALLS[found](self.account(asked.secret), sent, *ids))

    def _sign(self, chosen: Sequence[Told], how: How) -> list[Signed]:
        """Each event for each endpoint that wants it."""
        signed = []
        for event in chosen:
            for endpoint in self.account(event.account).listed("webhook_endpoint")[::-1]:
                if event.body["type"] in endpoint["enabled_events"] or "*" in endpoint["enabled_events"]:
                    signed.append(self._request(endpoint, event.body, how))
        return signed

    def _request(self, endpoint: Object, event: Object, how: How) -> Signed:
        shape = endpoint["api_version"] or OLD_SHAPE
        body = json.dumps({**event, "api_version": shape}).encode() + how.tail
        secret = "whsec_nobody" if how.forged else how.secret or endpoint["secret"]
        headers = {"Content-Type": "application/json", "User-Agent": "Stripe/1.0"}
        if not how.unsigned:
            headers["Stripe-Signature"] = signature(secret, int(time.time()) + how.shift, body)
        return Signed(endpoint["url"], headers, body)


def signature(secret: str, at: int, body: bytes) -> str:
    """The header of a signed event."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _print(asked: Asked) -> str:
    return hashlib.sha256(f"{asked.call}\n".encode() + asked.body).hexdigest()


def _in_use() -> dict[str, str]:
    message = "There is currently another in-progress request using this Idempotent Key."
    return {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": message}


def start(port: int = 0) -> Running:
    """A fake Stripe that listens on 127.0.0.1."""
    return Running(StripeFake(), port)


def main() -> None:
    """Listen until interrupted; events are sent by themselves."""
    server = start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    assert isinstance(server.fake, StripeFake)
    server.fake.sender.automatic = True
    print(f"STRIPE_API_BASE={server.url}", flush=True)
    server.wait()


if __name__ == "__main__":
    main()
