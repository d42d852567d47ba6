"""Fixtures for all tests: AWS in memory, and the vocabulary of stories."""

from collections.abc import Iterator

import pytest
from _pytest.nodeid import NodeId
from hypothesis import HealthCheck, settings

from chalicelib.tasks import kinds as jobs  # noqa: F401  so that what tests put in the place of handlers stays there
from tests.support import aws as support
from tests.support.examples import examples
from tests.support.story import Story

pytest_plugins = ["tests.support.left_out"]

settings.register_profile(
    "tollgate", deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tollgate")


# What takes longest is begun first, so that no worker is left alone with it at the end.
LONGEST = tuple(
    f"tests/{name}"
    for name in (
        "browser/",
        "contracts/storage/",
        "contracts/",
        "local/",
        "deployed/",
        "scenarios/test_fairness",
        "scenarios/test_flights",
        "scenarios/test_leaps",
        "scenarios/test_advance_hot",
        "scenarios/test_year",
        "bench/",
    )
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest first; all others stay in their order. Those of a group say so in their ids, by which workers share them:
    pytest 9.2 does not see what pytest-xdist 3.8 writes there, and each worker would prepare what a group prepares once."""
    items.sort(
        key=lambda item: next((n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST))
    )
    for item in items if config.getoption("loadgroup", default=False) else ():
        for mark in item.iter_markers("xdist_group"):
            if not item.nodeid.endswith(f"@{mark.args[0]}"):
                item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of every test: no credentials of the machine, no endpoint but what a test sets."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name, value in support.variables().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aws(environment: None) -> Iterator[None]:
    """AWS in memory."""
    with support.in_memory():
        yield


@pytest.fixture(scope="module")
def module_aws() -> Iterator[None]:
    """The same for all tests of a module, which leave it as they found it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        for name, value in support.variables().items():
            patch.setenv(name, value)
        with support.in_memory():
            yield


@pytest.fixture
def story(aws: None) -> Story:
    """A sandbox organization, driven through the API."""
    return Story.begin()
