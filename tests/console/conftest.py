"""Fixtures for pages."""

import pytest

from tests.support.console import Visitor, member_of
from tests.support.story import Story


@pytest.fixture
def visitor(story: Story) -> Visitor:
    """A member of a sandbox organization that has nothing yet; `visitor.story` tells its story by the API."""
    return member_of(story)
