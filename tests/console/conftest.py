"""Fixtures for pages."""

from collections.abc import Iterator

import pytest

from chalicelib.platform.settings import settings
from tests.support import paying
from tests.support.billed import bill
from tests.support.console import Visitor, member_of
from tests.support.story import Story


@pytest.fixture(autouse=True)
def stripe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever calls Stripe calls the fake of this process."""
    monkeypatch.setenv("STRIPE_API_BASE", paying.server().url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def visitor(story: Story) -> Visitor:
    """A member of a sandbox organization that has nothing yet; `visitor.story` tells its story by the API."""
    return member_of(story)


@pytest.fixture
def billed(visitor: Visitor) -> Visitor:
    """A member who finds a final invoice and a draft, both of January."""
    bill(visitor.story)
    return visitor
