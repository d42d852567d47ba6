"""The house: template, gateway, dead letters, documentation."""

import gzip
import json
import re
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from wsgiref.util import setup_testing_defaults

from app import app
from chalicelib import wiring
from chalicelib.console import static_files, templates_loader
from chalicelib.platform import aws as clients
from chalicelib.platform import queues
from chalicelib.platform.settings import settings
from infra import package, policies
from infra.local.gateway import Gateway
from scripts import dead_letters
from tests.support.story import Story, received

ROOT = Path(__file__).parents[2]


def get(gateway: Gateway, path: str, key: str = "", method: str = "GET") -> tuple[int, object]:
    """A request through the local gateway."""
    environ: dict[str, object] = {"REQUEST_METHOD": method, "REQUEST_URI": path, "HTTP_AUTHORIZATION": f"Bearer {key}"}
    setup_testing_defaults(environ)
    status: list[str] = []
    body = b"".join(gateway(environ, lambda line, headers: status.append(line)))
    return int(status[0][:3]), json.loads(body) if body else None


def test_two_keys_shot_in_parallel_never_mix(aws):
    one, two = Story.begin(name="One"), Story.begin(name="Two")
    gateway = Gateway(app)
    barrier = threading.Barrier(8)

    def shoot(n: int) -> bool:
        barrier.wait(20)
        story, name = ((one, "One"), (two, "Two"))[n % 2]
        answers = [get(gateway, "/api/v1/organizations", story.api_key) for _ in range(20)]
        return all(status == 200 and body["organization"]["name"] == name for status, body in answers)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(shoot, range(8)))


def test_large_answers_are_zipped_for_clients_that_accept_it(aws, monkeypatch):
    from chalicelib import limits

    monkeypatch.setattr(limits, "GZIP_ABOVE_BYTES", 100)
    story = Story.begin()
    gateway = Gateway(app)
    seen: list[list[tuple[str, str]]] = []
    for accepted in ("", "gzip, deflate"):
        environ: dict[str, object] = {
            "REQUEST_METHOD": "GET",
            "REQUEST_URI": "/api/v1/organizations",
            "HTTP_AUTHORIZATION": f"Bearer {story.api_key}",
            "HTTP_ACCEPT_ENCODING": accepted,
        }
        setup_testing_defaults(environ)
        body = b"".join(gateway(environ, lambda line, headers: seen.append(headers)))
        plain = gzip.decompress(body) if accepted else body
        assert json.loads(plain)["organization"]["name"] == "Acme"
    assert [("Content-Encoding", "gzip") in headers for headers in seen] == [False, True]


def test_unknown_routes_and_methods_answer_in_our_format(aws):
    gateway = Gateway(app)
    expected = (404, {"status": 404, "error": "Not Found", "code": "resource_not_found"})
    assert get(gateway, "/api/v1/nothing") == expected
    assert get(gateway, "/api/v1/plans", method="PATCH") == expected


def test_the_app_stays_below_the_quotas_of_api_gateway():
    resources = {part for path in app.routes for part in _prefixes(path)}
    assert len(resources) < 0.9 * 300
    assert all("{proxy+}" not in path for path in app.routes)


def _prefixes(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def test_the_package_is_complete_and_least_privileged(tmp_path):
    template = json.loads(package.build(tmp_path / "package", "test", libraries=False).read_text())
    assert len(json.dumps(template)) < 0.9 * 1_000_000
    resources = template["Resources"]
    for name, (timeout, _, queue, most) in package.FUNCTIONS.items():
        function = resources[name]
        assert function["Properties"]["Timeout"] == timeout
        if queue is None:
            continue
        assert function["DependsOn"] == [queue]
        (source,) = function["Properties"]["Events"].values()
        assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["Properties"]["ScalingConfig"]["MaximumConcurrency"] == most
        # A message must stay hidden for as long as a function may work on it.
        assert resources[queue]["Properties"]["VisibilityTimeout"] >= timeout
        assert resources[queue]["Properties"]["RedrivePolicy"]["maxReceiveCount"] > 1
    for table in ("CoreTable", "UsageTable"):
        assert resources[table]["DeletionPolicy"] == resources[table]["UpdateReplacePolicy"] == "Retain"
        assert resources[table]["Properties"]["DeletionProtectionEnabled"] is True
    for name in package.FUNCTIONS:
        for statement in policies.document(name)["Statement"]:
            assert "*" not in statement["Action"]
            assert statement["Resource"] != ["*"]
    assert "UsageTable" not in json.dumps(policies.document("Deliver"))
    assert "WebhooksQueue" not in json.dumps(policies.document("Meter"))
    compiled = list((tmp_path / "package" / "code").rglob("*.pyc"))
    assert compiled
    # Byte code is not compared with times, which a zip does not keep (PEP 552: 1 for a hash, and none of 2 for a check).
    assert {int.from_bytes(path.read_bytes()[4:8], "little") for path in compiled} == {1}
    with zipfile.ZipFile(tmp_path / "package" / "code.zip") as archive:
        packed = {file.filename: file.compress_size for file in archive.infolist()}
    console = {name: size for name, size in packed.items() if name.startswith("chalicelib/console/")}
    assert {f"chalicelib/console/static/{name}" for name in static_files.names()} <= set(console)
    assert not any(name.startswith(f"chalicelib/console/{templates_loader.TEMPLATES}/") for name in console)
    assert sum(size for name, size in console.items() if "/static/" in name) < 500_000
    assert sum(console.values()) < 2_000_000
    assert not any(name.endswith(".py") for name in console if f"/{templates_loader.COMPILED}/" in name)


def test_dead_letters_are_looked_at_and_sent_again_and_count_once(aws):
    story = Story.begin()
    story.use(at=1704300000)
    (record,) = received(settings().events_queue)
    dead = f"{settings().events_queue}-dead"
    queues.send(dead, record["body"])
    queues.send(dead, record["body"])
    assert len({message["Body"] for message in dead_letters.look(settings().events_queue)}) == 1
    clients.client("sqs")  # Hidden while they were looked at: make them visible again.
    url = queues.url(dead)
    clients.client("sqs").purge_queue(QueueUrl=url)
    queues.send(dead, record["body"])
    queues.send(dead, record["body"])
    assert dead_letters.redrive(settings().events_queue) == 2
    assert dead_letters.redrive(settings().events_queue) == 0
    assert wiring.meter(received(settings().events_queue)) == {"batchItemFailures": []}
    assert story.ok("GET", "/events?external_subscription_id=sub")["meta"]["total_count"] == 1


def test_the_readme_names_every_target_that_it_uses_and_they_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert used <= targets
    assert {"run", "test", "demo", "deploy"} <= used


def test_files_can_be_read_in_one_sitting():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in [*ROOT.glob("chalicelib/**/*.py"), *ROOT.glob("infra/**/*.py")]
        if (lines := len(path.read_text().splitlines())) > 420
    }
    assert long == {}
