"""Fixtures for pages."""

import pytest

from tests.support.billed import bill
from tests.support.console import Visitor, member_of
from tests.support.story import Story


@pytest.fixture
def visitor(story: Story) -> Visitor:
    """A member of a sandbox organization that has nothing yet; `visitor.story` tells its story by the API."""
    return member_of(story)


@pytest.fixture
def billed(visitor: Visitor) -> Visitor:
    """A member who finds a final invoice and a draft, both of January."""
    bill(visitor.story)
    return visitor
