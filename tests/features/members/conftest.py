"""Members of one organization, with hashes that cost little."""

from collections.abc import Iterator

import pytest

from tests.support.people import Company, cheap_hashes


@pytest.fixture(autouse=True)
def little_work() -> Iterator[None]:
    """Hashes that cost little."""
    with cheap_hashes():
        yield


@pytest.fixture
def acme(aws: None) -> Company:
    """An organization whose first member has not come yet."""
    return Company.founded()
