"""Payment providers at a far side of our own, for each test that asks for one."""

from collections.abc import Iterator

import pytest

from chalicelib.platform.settings import settings
from tests.support import gocardless_server, stripe_server
from tests.support.providers.frame import Running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxy is asked."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    settings.cache_clear()


@pytest.fixture
def stripe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """Stripe."""
    server = stripe_server.start()
    monkeypatch.setenv("STRIPE_API_BASE", server.url)
    settings.cache_clear()
    yield server
    server.stop()


@pytest.fixture
def gocardless(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """GoCardless."""
    server = gocardless_server.start()
    monkeypatch.setenv("GOCARDLESS_API_BASE", server.url)
    settings.cache_clear()
    yield server
    server.stop()
