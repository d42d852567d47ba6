"""`make package`: the template and the zip that CloudFormation deploys.

Chalice makes the functions and the API from app.py; the rest of the template is `infra/resources.json`. What Chalice
cannot say is set here: dependencies on the queues, partial batch failures, concurrency, roles, environment. The zip
holds the code, the console's templates and its libraries, compiled, for Lambda's Python 3.11 on x86_64.
"""

import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chalicelib import limits
from chalicelib.console import templates_loader
from infra import policies

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "build" / "package"

# Per function: timeout (s), memory (MB), queue it consumes, most at once. A tick is one short walk over 16 shards.
FUNCTIONS: dict[str, tuple[int, int, str | None, int | None]] = {
    "APIHandler": (29, 1024, None, None),
    "Meter": (60, 1024, "EventsQueue", 50),
    "Worker": (900, 1024, "JobsQueue", 50),
    # Few at once: what sandboxes do takes little of the account's concurrency, however many of them leap.
    "SandboxWorker": (900, 1024, "SandboxQueue", 5),
    "PrintDocuments": (120, 2048, "DocumentsQueue", 10),
    # Work that somebody waits for never stands behind that of the night.
    "PrintAsked": (120, 2048, "AskedQueue", 10),
    # Each holds ten endpoints: a thousand that hang until they are paused leave room for others.
    "Deliver": (60, 512, "WebhooksQueue", 150),
    # Each waits for ten tasks: a provider that hangs keeps one for three calls of 23 s at the most, and nothing else waits.
    "CallProviders": (120, 512, "ProvidersQueue", 50),
    "Tick": (60, 512, None, None),
}
_ROLES = {"APIHandler": "ApiHandlerRole"}
# Settings that who deploys may change.
_PASSED_ON = (
    "EVENTS_PER_BATCH_MAX",
    "GOCARDLESS_CLIENT_ID",
    "WEBHOOK_PORTS",
    "WEBHOOK_PRIVATE_ADDRESSES",
    "WEBHOOK_PAUSE_FAILURES",
    "WEBHOOK_PAUSE_MINUTES",
    "WEBHOOK_PROBE_MINUTES",
)
# botocore describes every service of AWS; only these are called.
_SERVICES = ("dynamodb", "sqs", "s3", "kms", "sts")


def main() -> int:
    """Build for the stage in STAGE."""
    stage = os.environ.get("STAGE", "dev")
    template = build(TARGET, stage)
    print(f"{template} and {TARGET / 'code.zip'} are ready for stage {stage}.")
    return 0


def build(target: Path, stage: str, *, libraries: bool = True, environment: Mapping[str, str] | None = None) -> Path:
    """Template and zip in a folder; returns the template's path.

    `libraries`: put the pinned libraries into the zip (a machine that has them may leave them out). `environment`: more
    variables for every function.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    code = target / "code"
    _copy_code(code)
    template = _chalice_template(code, stage)
    _complete(template, stage, environment or {})
    if libraries:
        _install(code)
    _compile(code)
    _zip(code, target / "code.zip")
    path = target / "template.json"
    path.write_text(json.dumps(template, indent=1))
    return path


def _copy_code(code: Path) -> None:
    shutil.copytree(ROOT / "chalicelib", code / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", code / "app.py")


def _compile(code: Path) -> None:
    """Templates become modules, and modules byte code. A zip keeps times to two seconds and in no zone: Python would take
    half of the byte code for outdated and compile at each cold start, so it is told not to compare."""
    console = code / "chalicelib" / "console"
    if (console / templates_loader.TEMPLATES).is_dir():
        from chalicelib.console import pages

        templates_loader.compile_all(pages.environment(templates_loader.loader(console)), console)
        shutil.rmtree(console / templates_loader.TEMPLATES)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    templates = console / templates_loader.COMPILED
    if templates.is_dir():  # Nobody reads what Jinja writes: its byte code is enough, which stands in place of it.
        compileall.compile_dir(templates, quiet=2, legacy=True, invalidation_mode=unchecked)
        for source in templates.glob("*.py"):
            source.unlink()
    compileall.compile_dir(code, quiet=2, workers=os.cpu_count() or 1, invalidation_mode=unchecked)


def _chalice_template(code: Path, stage: str) -> dict[str, Any]:
    """Chalice's output for app.py, in a folder of its own without requirements: this script installs them once."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(code, project)
        shutil.copytree(ROOT / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
        (project / "requirements.txt").touch()
        command = [sys.executable, "-c", "from chalice.cli import main; main()", "package", "--stage", "package", "out"]
        # The app's settings are read here, those of the functions are the stack's parameters.
        variables = {**os.environ, "STAGE": stage, "AWS_DEFAULT_REGION": "us-east-1", "LOCAL": "0", "ADMIN_API_KEY": ""}
        subprocess.run(command, cwd=project, env=variables, check=True, stdout=subprocess.DEVNULL)
        made: dict[str, Any] = json.loads((project / "out" / "sam.json").read_text())
        return made


def _complete(template: dict[str, Any], stage: str, environment: Mapping[str, str]) -> None:
    own = json.loads((ROOT / "infra" / "resources.json").read_text())
    template["Resources"] |= own["Resources"]
    template["Parameters"] = {
        "Stage": {**own["Parameters"]["Stage"], "Default": stage},
        "AdminApiKey": {
            "Type": "String",
            "NoEcho": True,
            "Default": "",
            "AllowedPattern": f"^$|^.{{{limits.ADMIN_KEY_LENGTH_MIN},}}$",
            "ConstraintDescription": f"needs at least {limits.ADMIN_KEY_LENGTH_MIN} characters (or none: the route is closed)",
        },
        "GoCardlessClientSecret": {"Type": "String", "NoEcho": True, "Default": ""},
        "PublicUrl": {"Type": "String", "Default": ""},
        "PrintLayerArn": {"Type": "String", "Default": ""},
    }
    # Large answers go zipped: without this the gateway would send their base64.
    template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["x-amazon-apigateway-binary-media-types"] = ["*/*"]
    template["Conditions"] = {"HasPrintLayer": {"Fn::Not": [{"Fn::Equals": [{"Ref": "PrintLayerArn"}, ""]}]}}
    for name, (timeout, memory, queue, most) in FUNCTIONS.items():
        function = template["Resources"][name]
        properties = function["Properties"]
        properties |= {"Timeout": timeout, "MemorySize": memory, "CodeUri": "code.zip"}
        properties["Environment"] = {"Variables": _variables(stage) | dict(environment)}
        if name == "APIHandler":  # Only connections are made with it.
            properties["Environment"]["Variables"]["GOCARDLESS_CLIENT_SECRET"] = {"Ref": "GoCardlessClientSecret"}
        role = template["Resources"][_ROLES.get(name, f"{name}Role")]["Properties"]
        role["Policies"] = [{"PolicyName": "own", "PolicyDocument": policies.document(name)}]
        if queue is not None:
            function["DependsOn"] = [queue]
            (source,) = properties["Events"].values()
            source["Properties"] |= {
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": most},
            }
            if source["Properties"]["BatchSize"] > 10:
                source["Properties"]["MaximumBatchingWindowInSeconds"] = 1
            else:
                source["Properties"].pop("MaximumBatchingWindowInSeconds", None)
    # The layer brings fonts beside the libraries; /opt/lib is on the loader's path already.
    for name in ("PrintDocuments", "PrintAsked"):
        printing = template["Resources"][name]["Properties"]
        printing["Environment"]["Variables"]["FONTCONFIG_FILE"] = "/opt/fonts/fonts.conf"
        printing["Layers"] = {"Fn::If": ["HasPrintLayer", [{"Ref": "PrintLayerArn"}], {"Ref": "AWS::NoValue"}]}


def _variables(stage: str) -> dict[str, Any]:
    return {
        "STAGE": stage,
        "FILES_BUCKET": {"Ref": "FilesBucket"},
        "ADMIN_API_KEY": {"Ref": "AdminApiKey"},
        "PUBLIC_URL": {"Ref": "PublicUrl"},
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    }


def _install(code: Path) -> None:
    platforms = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(code)]
    command += ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]
    command += [word for name in platforms for word in ("--platform", name)]
    subprocess.run([*command, "-r", str(ROOT / "requirements.txt")], check=True)
    for useless in ("pip", "bin", "wheel", "setuptools"):
        shutil.rmtree(code / useless, ignore_errors=True)
    for service in (code / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in _SERVICES:
            shutil.rmtree(service)


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))


if __name__ == "__main__":
    sys.exit(main())
