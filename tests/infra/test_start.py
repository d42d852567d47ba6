"""How a process starts: with what requests need, and with all kinds of task once it meets one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
        'own = [name for name in sys.modules if name.startswith("chalicelib.features.")]\n'
        'always = {"worker", "pushing", "pushing_store", "held"}\n'
        'handlers = {path.stem for path in Path("chalicelib/tasks").glob("*.py")} - always\n'
        'said["tasks"] = [name for name in sys.modules if name.removeprefix("chalicelib.tasks.") in handlers]\n'
        'seldom = ("invoicing", "rating", "usage_views", "audit", "members")\n'
        'said["rooms"] = [name for name in own if name.split(".")[2] in seldom]\n'
        'rare = ("weasyprint", "babel", "jinja2", "cryptography", "argon2", "zxcvbn", "stripe", "gocardless_pro")\n'
        'said["libraries"] = [name for name in rare if name in sys.modules]\n'
        'said["gc"] = [gc.isenabled(), gc.get_freeze_count() > 10_000]'
    )
    assert said == {"tasks": [], "rooms": [], "libraries": [], "gc": [True, True]}


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
    assert {"finalize_invoice", "bill_customer", "deliver_webhook", "charge_event"} <= set(said["kinds"])
