"""AWS as a server on this machine (ministack), for what is too much for moto or needs processes of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.platform import aws
from chalicelib.platform.settings import settings
from infra.local import provision
from infra.local.emulator import Emulator, environment, free_port
from tests.support.aws import ADMIN_KEY, forget


@contextlib.contextmanager
def running(log: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A fresh one with everything provisioned, which this process uses; the variables by which others do."""
    emulator = Emulator(free_port(), None, log)
    try:
        emulator.wait_until_up()
        variables = environment(emulator.url, 8000, LOG_LEVEL="CRITICAL", ADMIN_API_KEY=ADMIN_KEY)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        forget()
        stage = settings().stage
        provision.tables(aws.client("dynamodb"), stage)
        provision.queues(aws.client("sqs"), stage)
        provision.files(aws.client("s3"), stage, settings().files_bucket)
        provision.key(aws.client("kms"), stage)
        yield variables
    finally:
        emulator.stop()
        forget()
