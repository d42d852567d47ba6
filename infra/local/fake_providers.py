"""`make run PROVIDERS=fake`: payment providers of our own beside the stack, so that a person can try a card that is declined.

They are the servers of the tests, which forget everything when they end: at each start the demo organization is connected with
them anew. A customer whom they have forgotten is created there again with its next edit.
"""

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from infra.local.emulator import taken

if TYPE_CHECKING:
    from tests.support.providers.frame import Running

STRIPE_KEY, GOCARDLESS_TOKEN = "sk_test_demo", "sandbox_demo"
_STRIPE_PORT, _GOCARDLESS_PORT = 12111, 12112
_CONNECTIONS = {
    "stripe": {"code": "stripe", "name": "Stripe (fake)", "payment_provider": "stripe", "secret_key": STRIPE_KEY},
    "gocardless": {
        "code": "gocardless",
        "name": "GoCardless (fake)",
        "payment_provider": "gocardless",
        "access_token": GOCARDLESS_TOKEN,
    },
}


@dataclass(frozen=True, slots=True)
class Fakes:
    """The two of them, listening."""

    stripe: "Running"
    gocardless: "Running"

    def environment(self) -> dict[str, str]:
        """The variables by which the app finds them."""
        proxies = {"NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1")))}
        return {"STRIPE_API_BASE": self.stripe.url, "GOCARDLESS_API_BASE": self.gocardless.url, **proxies}

    def stop(self) -> None:
        """End both."""
        self.stripe.stop()
        self.gocardless.stop()

    def connect(self, base: str, api_key: str) -> None:
        """Connect the demo organization with both, or anew where it was connected with those of an earlier start."""
        known = {each["code"] for each in _call(base, api_key, "GET", "/payment_providers")["payment_providers"]}
        for code, body in _CONNECTIONS.items():
            if code in known:
                made = _call(base, api_key, "POST", f"/payment_providers/{code}/rotate_webhook_secret")
            else:
                made = _call(base, api_key, "POST", "/payment_providers", {"payment_provider": body})
            shown = made["payment_provider"]
            if "webhook_secret" in shown:  # GoCardless' endpoints are entered by hand.
                account = self.gocardless.fake.account(GOCARDLESS_TOKEN)  # type: ignore[attr-defined]
                account.webhooks.append((shown["webhook_url"], shown["webhook_secret"]))

    def text(self) -> str:
        """What a person needs to try them."""
        from tests.support.providers.stripe_pages import CHOICES

        cards = "\n".join(f"    {meaning}" for meaning in CHOICES.values())
        return f"""
Payment providers (fakes: nobody's money moves)
  Stripe      {self.stripe.url}   secret key    {STRIPE_KEY}   connected as "stripe"
  GoCardless  {self.gocardless.url}   access token  {GOCARDLESS_TOKEN}   connected as "gocardless"
  Any other sk_test_... or sandbox_... is an empty account. Test cards:
{cards}
"""


def wanted() -> bool:
    """Whether they are asked for."""
    return os.environ.get("PROVIDERS", "") == "fake"


def start() -> Fakes:
    """Both, each at its own port unless that is taken; they send their events by themselves."""
    from tests.support import gocardless_server, stripe_server

    found = Fakes(stripe_server.start(_free(_STRIPE_PORT)), gocardless_server.start(_free(_GOCARDLESS_PORT)))
    for running in (found.stripe, found.gocardless):
        running.fake.sender.automatic = True  # type: ignore[attr-defined]
    return found


def _free(port: int) -> int:
    return 0 if taken(port) else port


def _call(base: str, api_key: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(f"{base}/api/v1{path}", data, headers, method=method), timeout=60) as answer:
            return json.load(answer)
    except HTTPError as problem:
        raise RuntimeError(f"{method} {path}: {problem.read().decode()}") from problem
