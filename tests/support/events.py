"""Events one by one, as a request has them, and what is shown of them."""

from datetime import UTC, datetime

from tests.support.story import Story, meter, request

NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)


def send(story, number: int, code: str = "calls", *, at: datetime = NOON, sub: str = "sub", headers=None, **fields):
    """One event `t<number>`; the answer."""
    body = {"transaction_id": f"t{number}", "external_subscription_id": sub, "code": code, **fields}
    body = {"timestamp": int(at.timestamp()), **body}
    key = {"Authorization": f"Bearer {story.api_key}", **(headers or {})}
    return request("POST", "/api/v1/events", {"event": body}, key)


def names(body) -> list[str]:
    return [each["transaction_id"] for each in body["events"]]


def logs(story, query: str = ""):
    meter()
    return story.ok("GET", f"/event_logs{query}")


REGIONS = {
    "key": "provider",
    "values": [
        {"name": "AWS", "key": "region", "values": ["Europe", "Asia"]},
        {"name": "Google", "key": "region", "values": ["Europe"]},
    ],
}


def faulty_events(story: Story) -> None:
    """Send events with every fault, and without any."""
    story.metric("calls")
    story.metric("miles", "sum_agg", field_name="n", filters=[{"key": "cloud", "values": ["aws", "gcp"]}])
    story.metric("hours", group=REGIONS)
    send(story, 1)
    send(story, 2, "nothing")
    send(story, 3, "miles", properties={"n": "12.5", "cloud": "aws"})
    send(story, 4, "miles", properties={"n": "far"})
    send(story, 5, "miles", properties={"cloud": "azure"})
    send(story, 6, "hours", properties={"provider": "AWS", "region": "Asia"})
    send(story, 7, "hours", properties={"provider": "AWS"})
    send(story, 8, "hours", properties={"provider": "Google", "region": "Asia"})
    send(story, 9, "hours")
