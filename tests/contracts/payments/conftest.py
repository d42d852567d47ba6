"""A provider, connected to its far side, for each test of the contract."""

from collections.abc import Iterator

import pytest

from chalicelib import limits
from chalicelib.features.payments.providers import registry
from chalicelib.platform.settings import settings
from tests.contracts.payments import rigs
from tests.contracts.payments.rigs import GoCardlessRig, Rig, StripeRig, TillpayRig


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy is asked, the third provider is one of them, and who waits shorter for answers does so in one test."""
    monkeypatch.setattr(limits, "PROVIDER_READ_SECONDS", limits.PROVIDER_READ_SECONDS)
    monkeypatch.setitem(registry.MODULES, "tillpay", "tests.support.third_provider")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def stripe_rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeRig]:
    """Stripe."""
    server = rigs.STARTS["stripe"]()
    monkeypatch.setenv("STRIPE_API_BASE", server.url)
    yield from _begun(StripeRig(server))


@pytest.fixture
def gocardless_rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[GoCardlessRig]:
    """GoCardless."""
    server = rigs.STARTS["gocardless"]()
    monkeypatch.setenv("GOCARDLESS_API_BASE", server.url)
    yield from _begun(GoCardlessRig(server))


@pytest.fixture
def tillpay_rig() -> Iterator[TillpayRig]:
    """The third."""
    yield from _begun(TillpayRig())


@pytest.fixture(params=list(rigs.RIGS))
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each provider there is."""
    found: Rig = request.getfixturevalue(f"{request.param}_rig")
    return found


def _begun(rig: Rig) -> Iterator[Rig]:
    settings.cache_clear()
    rig.begin()
    yield rig
    rig.stop()
