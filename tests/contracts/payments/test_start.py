"""What calls to providers cost whoever makes none, and where they go."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from chalicelib.platform.settings import Settings

ROOT = Path(__file__).parents[3]

_VERIFIES = """
import json, sys
from datetime import datetime, UTC
import app
from chalicelib.features.payments.providers import registry
said = {"start": [name for name in ("stripe", "gocardless_pro", "requests") if name in sys.modules]}
header = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
at = datetime.fromtimestamp(1700000000, UTC)
registry.provider("stripe").verify({"Stripe-Signature": header}, b'{"id":"evt_1"}', ["whsec_test"], now=at)
header = "8c1a261cd03ebf850efc633a4763f65875e01ae5bd8d994912f764a63441dab5"
registry.provider("gocardless").verify({"Webhook-Signature": header}, b'{"events":[]}', ["gc_secret"], now=at)
said["event"] = [name for name in ("stripe", "gocardless_pro", "requests") if name in sys.modules]
print(json.dumps(said))
"""


def test_neither_the_app_nor_an_event_brings_the_libraries():
    out = subprocess.run([sys.executable, "-c", _VERIFIES], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == {"start": [], "event": []}


@pytest.mark.parametrize("name", ["stripe_api_base", "gocardless_api_base"])
@pytest.mark.parametrize(
    ("url", "local", "expected"),
    [
        ("", False, ""),
        ("https://api.example.com", False, "https://api.example.com"),
        ("https://api.example.com:8443/", False, "https://api.example.com:8443"),
        ("http://127.0.0.1:12111", True, "http://127.0.0.1:12111"),
        ("http://127.0.0.1:12111", False, None),
        ("http://api.example.com", False, None),
        ("https://api.example.com/v1", True, None),
        ("https://api.example.com?x=1", True, None),
        ("https://user:word@api.example.com", True, None),
        ("ftp://127.0.0.1", True, None),
        ("127.0.0.1:12111", True, None),
        ("https://", True, None),
    ],
)
def test_calls_go_to_an_origin_and_encrypted_outside_of_a_local_stack(name, url, local, expected):
    if expected is None:
        with pytest.raises(ValidationError, match=name.upper()):
            Settings(local=local, **{name: url})
    else:
        assert getattr(Settings(local=local, **{name: url}), name) == expected
