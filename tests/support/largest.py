"""The largest legal names, and what becomes of events that have them."""

from chalicelib.features.metering import messages
from tests.support.story import Story

POO = "\N{PILE OF POO}"


def longest(n: int, length: int = 255) -> str:
    """The longest legal name, told from others."""
    return f"{n:06d}{POO * (length - 6)}"


def metered(sent: list[str], at_once: int = 10) -> None:
    """Meter all that was sent, in batches."""
    records = [{"messageId": f"m{n}", "body": body} for n, body in enumerate(sent)]
    sent.clear()
    for n in range(0, len(records), at_once):
        assert messages.handle(records[n : n + at_once]) == []


def listed(story: Story, path: str = "/events", query: str = "") -> list[str]:
    """The transaction ids of all pages of a list, whose totals are true."""
    found: list[str] = []
    number: int | None = 1
    while number:
        body = story.ok("GET", f"{path}?per_page=500&page={number}{query}")
        found += [each["transaction_id"] for each in body[path[1:]]]
        number, total = body["meta"]["next_page"], body["meta"]["total_count"]
    assert total == len(found)
    return found
