"""How a process starts: with what requests need, and with all kinds of task once it meets one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib import wiring  # noqa: F401  it knows the routes
from chalicelib.api import routes as api_routes
from chalicelib.platform.http import endpoints
from scripts import routes
from scripts.bench import start

ROOT = Path(__file__).parents[2]

_DUE = {"S": "2024-01-01T00:00:00.000000Z"}
_ITEM = {name: {"S": name} for name in ("pk", "sk", "organization_id", "subject")}
_ITEM |= {"kind": {"S": "finalize_invoice"}, "due_at": _DUE, "run_at": _DUE, "attempts": {"N": "0"}}
_ITEM |= {"sandbox": {"BOOL": False}, "parked": {"BOOL": False}, "detail": {"M": {}}}


def _in_a_new_process(code: str) -> dict[str, object]:
    """What the code says after `import app`, which it puts into `said`."""
    script = f"import gc, json, sys, app\nfrom pathlib import Path\nsaid = {{}}\n{code}\nprint(json.dumps(said))"
    out = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(out.stdout)
    return found


def test_a_process_starts_without_what_few_requests_need_and_collects_no_garbage_among_what_stays():
    said = _in_a_new_process(
        'rooms = ("api", "console", "features", "tasks")\n'
        'own = [name for name in sys.modules if name.startswith("chalicelib.") and name.count(".") > 1]\n'
        'said["rooms"] = sorted(name for name in own if name.split(".")[1] in rooms)\n'
        'said["platform"] = [name for name in own if name.startswith("chalicelib.platform.agenda")]\n'
        'rare = ("weasyprint", "babel", "jinja2", "cryptography", "argon2", "zxcvbn", "stripe", "gocardless_pro")\n'
        'said["libraries"] = [name for name in rare if name in sys.modules]\n'
        'said["gc"] = [gc.isenabled(), gc.get_freeze_count() > 10_000]'
    )
    tables = ["chalicelib.api.routes", "chalicelib.console.routes"]
    assert said == {"rooms": tables, "platform": [], "libraries": [], "gc": [True, True]}


def test_events_are_taken_with_few_modules_and_none_is_missing_then():
    assert start.modules().kept
    said = _in_a_new_process(
        "import time\n"
        "from datetime import UTC, datetime\n"
        "from chalicelib.platform.clock import OrganizationRef\n"
        "from chalicelib.platform.http import Call, endpoints\n"
        'view = endpoints.find("POST", ["events", "batch"]).load().view\n'
        "from chalicelib.features.billable_metrics import formulas\n"
        "from chalicelib.platform import queues\n"
        'formulas._known["org"] = formulas.Asked({}, {}, time.monotonic())\n'
        "sent = []\n"
        "queues.send = lambda *given, **how: sent.append(given)\n"
        'event = {"transaction_id": "t", "external_subscription_id": "s", "code": "c", "timestamp": 1704067200}\n'
        "now = datetime(2024, 1, 2, tzinfo=UTC)\n"
        'body = json.dumps({"events": [event]}).encode()\n'
        "before = set(sys.modules)\n"
        'view(Call(OrganizationRef("org", False), now, {}, {}, {}, body))\n'
        'said["sent"] = len(sent)\n'
        'said["more"] = [name for name in set(sys.modules) - before if name.startswith("chalicelib")]\n'
    )
    assert said == {"sent": 1, "more": []}


def test_the_table_of_routes_is_what_the_modules_declare():
    assert routes.PAGE.read_text() == routes.page(), "`make routes` writes it anew"


@pytest.mark.parametrize("module", sorted({line.split()[1] for line in api_routes.TABLE.splitlines()}))
def test_the_modules_of_a_route_are_imported_without_any_other_before(module):
    said = _in_a_new_process(
        "from chalicelib.platform.http import endpoints\n"
        "from chalicelib import api\n"
        "from chalicelib.api import routes\n"
        f'own = [each for each in endpoints.learn(routes.TABLE, api.__name__) if each.module.endswith(".{module}")]\n'
        'said["loaded"] = [each.load().module for each in own]\n'
    )
    assert set(said["loaded"]) == {f"chalicelib.api.{module}"}


def test_a_route_belongs_to_one_module():
    method, path = "GET", "/api/v1/taxes"
    module = endpoints.Endpoint(method, path, "chalicelib.api.taxes").load()
    endpoints.declare(method, path, module)  # As when its import is tried again.
    with pytest.raises(ValueError, match="and of another"):
        endpoints.declare(method, path, module._replace(module="another"))
    assert endpoints.declared()[method, path] == module


def test_a_module_that_cannot_be_imported_is_a_bug_of_its_routes_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "chalicelib.api.taxes", None)
    with pytest.raises(ImportError):
        endpoints.find("GET", ["taxes"]).load()
    assert endpoints.find("GET", ["plans"]).load().key == "organization"


@pytest.mark.parametrize(
    "meets",
    [
        pytest.param(f"TaskRow.read({_ITEM!r}).value", id="a kind not known yet"),
        pytest.param("runner._handler(customers.BILL)", id="a known kind without its handler"),
    ],
)
def test_a_task_that_comes_up_brings_all_kinds_and_a_handler_for_each(meets):
    said = _in_a_new_process(
        "from chalicelib.features.customers import service as customers\n"
        "from chalicelib.platform import agenda\nfrom chalicelib.platform.agenda import runner\n"
        "from chalicelib.platform.agenda.store import TaskRow\n"
        'said["before"] = ["finalize_invoice" in agenda.KINDS, "bill_customer" in agenda.KINDS, len(runner._handlers)]\n'
        f"{meets}\n"
        'said["kinds"], said["handlers"] = sorted(agenda.KINDS), sorted(runner._handlers)'
    )
    assert said["before"] == [False, True, 0]
    assert said["kinds"] == said["handlers"]
    assert {"finalize_invoice", "bill_customer", "webhook_stream", "charge_event"} <= set(said["kinds"])
