"""A fake of GoCardless: its keys, its states and its batches of signed events.

    server = gocardless_server.start()          # server.url, server.fake, server.stop()
    python -m tests.support.gocardless_server 12112

Control routes of its own, beside those of `providers/frame.py` (`key`: the token whose account is meant):

    POST webhook {key, url, secret}         an endpoint is entered, as in the dashboard
    POST forget {key, url}                  an endpoint is gone
    POST complete {key, id}                 the customer of a flow, or of a billing request, signs the mandate
    POST move {key, id, status, ...}        a payment, mandate or refund gets a status; the rest are details of the event
    POST settle {key}                       days pass, and what is under way is paid
    POST refund {key, id, amount}           somebody refunds in the dashboard
    POST emit {ids, reverse, copies, delay, post, forged, unsigned, secret, batch}      send events
    POST automatic {on}                     events are sent by themselves, until they are taken
    POST refunds {key, on}                  the account may refund, or may not
    POST text {on}                          amounts are answered as digits in a string
"""

import hashlib
import hmac
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from tests.support.providers.frame import Answer, Asked, Fake, Problem, Running
from tests.support.providers.gocardless_account import Account, refused
from tests.support.providers.gocardless_calls import CALLS, CREATIONS, match
from tests.support.providers.pages import back, form_page, said
from tests.support.providers.sending import How, Sender, Signed, Told

VERSION = "2015-07-06"
KEY_KEPT = timedelta(hours=24)
_AMOUNTS = ("amount", "amount_refunded")


class GoCardlessFake(Fake):
    """GoCardless."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = {}
        self.sender = Sender(self._sign)
        self.as_text = False

    def account(self, token: str) -> Account:
        """The account of a token; each token has its own."""
        if token not in self.accounts:
            self.accounts[token] = Account(token, self.now, self.sender.add)
            self.accounts[token].url = self.url
        return self.accounts[token]

    def handle(self, asked: Asked) -> Answer:
        """Who calls, then the call."""
        with self.lock:
            try:
                self._known(asked)
                return self._called(asked)
            except Problem as problem:
                return problem.answer

    def broken(self, kind: str, asked: Asked) -> Answer:
        """Errors that have nothing to do with what was asked."""
        if kind == "502":
            return Answer(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
        if kind == "empty":
            return Answer(200, {})
        if kind == "odd":
            return Answer(422, {"error": {"type": "invalid_state", "code": 422, "message": "Something is wrong."}})
        message = f"You sent {asked.secret}." if kind == "echo" else "Something is wrong."
        problem = {
            "429": refused("invalid_api_usage", "rate_limit_exceeded", message, status=429),
            "503": refused("gocardless", "unavailable", message, status=503),
            "500": refused("gocardless", "internal_server_error", message, status=500),
            "409": refused("invalid_state", "idempotent_creation_conflict", message, status=409),
            "echo": refused("validation_failed", "", message, field="amount"),
        }[kind]
        return problem.answer

    def page(self, asked: Asked) -> Answer | None:
        """The page on which a customer signs."""
        if not asked.path.startswith("/flow/"):
            return None
        with self.lock:
            flow_id = asked.path.rsplit("/", 1)[1]
            found = next((each for each in self.accounts.values() if flow_id in each.objects), None)
            if found is None:
                return said("There is no such page.", 404)
            flow = found.get("billing_request_flows", flow_id)
            if asked.method != "POST":
                return form_page("Mandate (a fake)", "Sign a mandate.", "Account", {"good": "One that pays"})
            try:
                self._complete(found, flow_id)
            except Problem as problem:
                return said(problem.answer.body["error"]["message"], 422)
            return back(flow["redirect_uri"])

    def after(self) -> None:
        """Send what is new."""
        self.sender.after()

    def control(self, name: str, said: dict[str, Any]) -> Any:
        """As the head of this module says."""
        if name == "emit":
            return self.sender.emit(**said)
        if name == "automatic":
            self.sender.automatic = bool(said["on"])
        elif name == "text":
            self.as_text = bool(said["on"])
        else:
            return self._of_account(name, self.account(said.pop("key")), said)
        return {}

    def _of_account(self, name: str, account: Account, said: dict[str, Any]) -> Any:
        if name == "webhook":
            return account.webhooks.append((said["url"], said["secret"]))
        if name == "forget":
            account.webhooks = [each for each in account.webhooks if each[0] != said["url"]]
            return {}
        if name == "refunds":
            return account.listed("creditors")[0].update(can_create_refunds=bool(said["on"]))
        if name == "settle":
            return account.settle()
        if name == "complete":
            return self._complete(account, said["id"])
        if name == "move":
            return account.move(said.pop("id"), said.pop("status"), **said)
        if name == "refund":
            payment = account.get("payments", said["id"])
            return account.refund(payment, said["amount"], payment["amount_refunded"] + said["amount"], {})
        raise KeyError(name)

    def _complete(self, account: Account, object_id: str) -> Any:
        kind, found = account.objects[object_id]
        request_id = found["links"]["billing_request"] if kind == "billing_request_flows" else object_id
        return account.fulfil(account.get("billing_requests", request_id))

    def _known(self, asked: Asked) -> None:
        if not asked.secret or asked.secret in self.revoked:
            raise refused("invalid_api_usage", "access_token_not_found", "The access token is not valid", status=401)
        denied = (
            asked.call == "POST /refunds"
            and not self.account(asked.secret).listed("creditors")[0]["can_create_refunds"]
        )
        if denied or not self.allowed(asked):
            raise refused("invalid_api_usage", "insufficient_permissions", "The token may not do this", status=403)
        if asked.headers.get("gocardless-version") != VERSION:
            raise refused("invalid_api_usage", "version_not_found", "Version not found", status=400)
        if asked.body and asked.headers.get("content-type") != "application/json":
            raise refused("invalid_api_usage", "invalid_content_type", "Not JSON", status=415)
        if asked.method == "POST" and not 1 <= len(asked.key) <= 128:
            raise refused("invalid_api_usage", "invalid_idempotency_key", "Keys have 1 to 128 characters", status=400)

    def _called(self, asked: Asked) -> Answer:
        found, ids = match(asked.call)
        if found is None:
            raise refused("invalid_api_usage", "resource_not_found", "Not found", status=404)
        account, kind = self.account(asked.secret), found.split("/")[1].split(" ")[0]
        if asked.method == "GET" and not ids:
            return Answer(200, self._shown(CALLS[found](account, dict(parse_qsl(asked.query)))))
        sent = json.loads(asked.body or b"{}")
        place = (asked.path, asked.key)
        if found in CREATIONS:
            self._not_again(account, place)
        body = (sent or {}).get("data" if "/actions/" in found else kind) or {}
        made = CALLS[found](account, body, *ids)
        if found in CREATIONS:
            account.keys[place] = (made["id"], self.now())
        return Answer(201 if found in CREATIONS else 200, self._shown({kind: made}))

    def _not_again(self, account: Account, place: tuple[str, str]) -> None:
        """A key makes one thing: GoCardless does not look at what is sent with it the second time."""
        known = account.keys.get(place)
        if known is not None and self.now() - known[1] < KEY_KEPT:
            links = {"conflicting_resource_id": known[0]}
            message = "A resource has already been created with this idempotency key"
            raise refused("invalid_state", "idempotent_creation_conflict", message, status=409, links=links)

    def _shown(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._shown(each) for each in value]
        if not isinstance(value, dict):
            return value
        text = self.as_text
        return {
            name: str(each) if text and name in _AMOUNTS and isinstance(each, int) else self._shown(each)
            for name, each in value.items()
        }

    def _sign(self, chosen: Sequence[Told], how: How) -> list[Signed]:
        """Batches of each account, for each of its endpoints."""
        signed = []
        for token, told in groupby(chosen, key=lambda each: each.account):
            bodies = [each.body for each in told]
            for begin in range(0, len(bodies), how.batch):
                batch = bodies[begin : begin + how.batch]
                signed += [self._request(url, secret, batch, how) for url, secret in self.account(token).webhooks]
        return signed

    def _request(self, url: str, secret: str, events: list[dict[str, Any]], how: How) -> Signed:
        meta = {"webhook_id": f"WB{secrets.token_hex(6).upper()}"}
        body = json.dumps({"events": events, "meta": meta}).encode() + how.tail
        headers = {"Content-Type": "application/json", "User-Agent": "gocardless-webhook-service/1.1"}
        if not how.unsigned:
            headers["Webhook-Signature"] = signature("nobody" if how.forged else how.secret or secret, body)
        return Signed(url, headers, body)


def signature(secret: str, body: bytes) -> str:
    """The header of a signed batch."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def start(port: int = 0) -> Running:
    """A fake GoCardless that listens on 127.0.0.1."""
    return Running(GoCardlessFake(), port)


def main() -> None:
    """Listen until interrupted; events are sent by themselves."""
    server = start(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    assert isinstance(server.fake, GoCardlessFake)
    server.fake.sender.automatic = True
    print(f"GOCARDLESS_API_BASE={server.url}", flush=True)
    server.wait()


if __name__ == "__main__":
    main()
