"""AWS in memory for a test: moto, with the resources of `infra/resources.json`, and the app's own clients."""

import contextlib
from collections.abc import Iterator

from moto import mock_aws

from chalicelib.features.metering import definitions, progress, rows
from chalicelib.features.organizations import hmac_keys
from chalicelib.features.webhooks import signing
from chalicelib.platform import auth, aws, files, queues
from chalicelib.platform.settings import settings
from infra.local import provision
from infra.local.emulator import CREDENTIALS
from tests.support.quick_moto import Everything, only_services_used, prepared, quick_moto, restore
from tests.support.waiting import waiting_works

only_services_used()
ADMIN_KEY = "admin-key-of-the-tests"


def variables(**more: str) -> dict[str, str]:
    """The environment of the tests."""
    return {**CREDENTIALS, "STAGE": "test", "LOCAL": "1", "ADMIN_API_KEY": ADMIN_KEY, "LOG_LEVEL": "CRITICAL", **more}


def forget() -> None:
    """Drop what the process remembers of the AWS before."""
    settings.cache_clear()
    aws.reset()
    queues.url.cache_clear()
    auth.forget()
    hmac_keys.forget()
    signing.private_pem.cache_clear()
    files._linker.cache_clear()
    definitions.forget()
    rows.forget()
    progress.forget()


@contextlib.contextmanager
def in_memory() -> Iterator[None]:
    """Moto with everything provisioned, made quick."""
    with mock_aws(), quick_moto(), waiting_works():
        forget()
        prepared(_provision)
        yield
    forget()


@contextlib.contextmanager
def again(before: Everything) -> Iterator[None]:
    """The AWS in memory as it was then, whatever tests did to it since; and nothing of it is remembered."""
    restore(before)
    forget()
    yield
    forget()


def _provision() -> None:
    own = settings()
    provision.tables(aws.client("dynamodb"), own.stage)
    provision.queues(aws.client("sqs"), own.stage)
    provision.files(aws.client("s3"), own.stage, own.files_bucket)
    provision.key(aws.client("kms"), own.stage)
