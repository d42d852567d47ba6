"""Lists of many events: complete, in order, with true totals, at a cost per page that does not depend on what lies before."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.features.metering import erase, log, log_items, messages
from chalicelib.features.metering.event import Event
from chalicelib.platform import clock
from chalicelib.platform.timestamps import stamp
from tests.support.capacity import counting
from tests.support.events import logs, names
from tests.support.story import Story
from tests.support.usage import event, message

NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)


@pytest.fixture(params=[1, 16], ids=["one part", "16 parts"])
def metered(request, story, monkeypatch) -> tuple[Story, list[Event]]:
    """300 events over six days, of three codes and subscriptions, in batches in which their times lie anyhow."""
    monkeypatch.setattr(log, "_spread", _Always(request.param))
    monkeypatch.setattr(log_items, "REFERENCES_MAX", 7)
    monkeypatch.setattr("chalicelib.features.events.log_pages._REMEMBERED_FROM", 1)
    chance = random.Random(3)
    sent = [
        event(
            f"t{n:03d}",
            NOON + timedelta(seconds=chance.choice((n, chance.randrange(-5 * 86_400, 86_400), chance.randrange(20)))),
            code=f"c{n % 3}",
            sub=f"s{chance.randrange(3)}",
        )
        for n in range(300)
    ]
    rest = list(sent)
    while rest:
        size = chance.choice((1, 3, 40))
        assert messages.handle([message(rest[:size], story.ref), message(rest[:1], story.ref)]) == []
        rest = rest[size:]
    return story, sent


class _Always(dict):  # type: ignore[type-arg]
    """So many parts, whoever asks."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self._parts = parts

    def get(self, key: Any, default: Any = None) -> Any:
        return self._parts


def _pages(story: Story, path: str, size: int, query: str = "") -> list[str]:
    """The ids of all pages, in order, each of which is asked for after the one before."""
    root = path[1:]
    found: list[str] = []
    for number in itertools.count(1):
        body = story.ok("GET", f"{path}?page={number}&per_page={size}{query}")
        found += [each["transaction_id"] for each in body[root]]
        if body["meta"]["next_page"] is None:
            assert body["meta"]["total_count"] == len(found)
            return found
    raise AssertionError


def by_time(sent: list[Event]) -> list[str]:
    order = sorted(enumerate(sent), key=lambda each: (each[1].timestamp_ms, each[0]), reverse=True)
    return [each.transaction_id for _, each in order]


FILTERS = [
    ("", lambda e: True),
    ("&code=c1", lambda e: e.code == "c1"),
    ("&timestamp_from=2024-01-08T05:00:00Z", lambda e: e.at >= datetime(2024, 1, 8, 5, tzinfo=UTC)),
    ("&timestamp_to=2024-01-10T12:00:09Z&code=c2", lambda e: e.code == "c2" and e.timestamp_ms <= 1704888009000),
    ("&timestamp_from=2024-01-09&timestamp_to=2024-01-09T23:59:59.999Z", lambda e: e.at.day == 9),
]


@pytest.mark.parametrize(("query", "keeps"), FILTERS, ids=[query for query, _ in FILTERS])
def test_a_list_by_time_is_complete_and_in_order(metered, query, keeps):
    story, sent = metered
    expected = by_time([each for each in sent if keeps(each)])
    for size in (9, 50, 1000):
        assert _pages(story, "/events", size, query) == expected
    for number in (7, 3, 5):  # Leaps.
        body = story.ok("GET", f"/events?page={number}&per_page=11{query}")
        assert names(body) == expected[(number - 1) * 11 : number * 11]
        assert body["meta"]["total_count"] == len(expected)


@pytest.mark.parametrize("parts", [1, 16])
def test_events_of_just_now_are_in_order_too_some_of_them_late_or_from_the_future(story, monkeypatch, parts):
    """Items of few events stand in no index: they are read in the order in which they came."""
    monkeypatch.setattr(log, "_spread", _Always(parts))
    chance = random.Random(parts)
    sent: list[Event] = []
    for batch in range(60):
        size = chance.choice((1, 2, 30))
        seconds = [chance.choice((-1, -1, -3600, -90_000, 5, 7200)) * chance.random() for _ in range(size)]
        some = [event(f"{batch}-{n}", clock.utc_now() + timedelta(seconds=of)) for n, of in enumerate(seconds)]
        assert messages.handle([message(some, story.ref)]) == []
        sent += some
    expected = by_time(sent)
    for size in (17, 1000):
        assert _pages(story, "/events", size) == expected
        assert _pages(story, "/event_logs", size) == [each.transaction_id for each in reversed(sent)]
    lately = f"{clock.utc_now() - timedelta(minutes=30):%Y-%m-%dT%H:%M:%SZ}"
    kept = [each for each in sent if f"{each.at:%Y-%m-%dT%H:%M:%SZ}" >= lately]
    assert _pages(story, "/events", 17, f"&timestamp_from={lately}") == by_time(kept)


@pytest.mark.parametrize(("query", "keeps"), FILTERS[:5], ids=[query for query, _ in FILTERS[:5]])
def test_a_list_of_a_subscription_is_complete_and_in_order(metered, query, keeps):
    story, sent = metered
    own = [each for each in sent if each.external_subscription_id == "s1" and keeps(each)]
    expected = sorted(own, key=lambda e: -e.timestamp_ms)
    for size in (9, 1000):
        found = _pages(story, "/events", size, f"&external_subscription_id=s1{query}")
        assert sorted(found) == sorted(each.transaction_id for each in own)
        at = {each.transaction_id: each.timestamp_ms for each in own}
        assert [at[name] for name in found] == [each.timestamp_ms for each in expected]
    body = story.ok("GET", f"/events?page=2&per_page=11&external_subscription_id=s1{query}")
    leapt = story.ok("GET", f"/events?page=2&per_page=11&external_subscription_id=s1{query}")
    assert names(body) == names(leapt)


@pytest.mark.parametrize("query", ["", "&code=c1", "&external_subscription_id=s2", "&warnings[]=any"])
def test_the_log_is_complete_and_in_order_of_reception(metered, query):
    story, sent = metered
    kept = [
        each
        for each in sent
        if ("code" not in query or each.code == "c1") and ("sub" not in query or each.external_subscription_id == "s2")
    ]
    assert _pages(story, "/event_logs", 13, query) == [each.transaction_id for each in reversed(kept)]


def test_totals_are_true_whatever_was_remembered(metered):
    story, sent = metered
    for n in range(3):
        expected = len([each for each in sent if each.code == "c1"])
        assert story.ok("GET", "/events?code=c1&per_page=5&page=2")["meta"]["total_count"] == expected
        sent.append(event(f"new{n}", NOON - timedelta(days=n), code="c1", sub="s1"))
        assert messages.handle([message(sent[-1:], story.ref)]) == []
    until = stamp(clock.utc_now())
    gone = erase.erase(story.ref.id, "s1", "c1", since_ms=0, received_until=until)
    left = [each for each in sent if (each.external_subscription_id, each.code) != ("s1", "c1")]
    assert gone == len(sent) - len(left)
    for query, keeps in FILTERS:
        assert _pages(story, "/events", 9, query) == by_time([each for each in left if keeps(each)])
    assert sorted(_pages(story, "/event_logs", 50)) == sorted(each.transaction_id for each in left)
    assert logs(story, "?transaction_id=new0")["event_logs"] == []


def test_a_page_far_past_the_end_is_empty_and_its_totals_are_true(metered):
    story, _ = metered
    for path in ("/events?", "/event_logs?", "/events?external_subscription_id=s1&"):
        body = story.ok("GET", f"{path}page=1000")
        assert body[path.split("?")[0][1:]] == []
        assert body["meta"]["total_count"] > 50


def test_the_log_ends_for_the_debugger_after_a_month_and_for_lists_with_the_events(aws, monkeypatch):
    story = Story.begin(sandbox=False)
    now = clock.utc_now()
    for days in (0, 29, 40, 700):
        monkeypatch.setattr(clock, "utc_now", lambda days=days: now - timedelta(days=days))
        sent = message([event(f"t{days}", clock.utc_now())], story.ref, received_at=clock.utc_now())
        assert messages.handle([sent]) == []
    monkeypatch.setattr(clock, "utc_now", lambda: now)
    assert names(story.ok("GET", "/events")) == ["t0", "t29", "t40", "t700"]
    assert [each["transaction_id"] for each in logs(story)["event_logs"]] == ["t0", "t29"]
    assert logs(story, "?transaction_id=t40")["event_logs"] == []
    monkeypatch.setattr(clock, "utc_now", lambda: now + timedelta(days=31))
    assert names(story.ok("GET", "/events")) == ["t0", "t29", "t40"]
    assert names(story.ok("GET", "/events?external_subscription_id=sub")) == ["t0", "t29", "t40"]
    assert timedelta(days=730) == limits.EVENT_RETENTION


def test_a_page_costs_the_same_whatever_lies_before_it(story):
    """Ten thousand events on one day, in batches of a hundred as they come."""
    for batch in range(100):
        start = NOON + timedelta(seconds=batch)
        some = [event(f"{batch:03d}-{n:02d}", start + timedelta(milliseconds=n), sub=f"s{n % 4}") for n in range(100)]
        assert messages.handle([message(some, story.ref)]) == []
    paths = ("/events?", "/event_logs?", "/events?code=calls&", "/events?external_subscription_id=s1&")
    for path in paths:
        costs = []
        for number in range(1, 26):
            with counting() as asked:
                story.ok("GET", f"{path}per_page=100&page={number}")
            costs.append((asked.total, asked.read_units))
        assert max(total for total, _ in costs[2:-1]) <= min(total for total, _ in costs[2:-1]) + 1, (path, costs)
        assert max(read for _, read in costs[2:-1]) <= 1.2 * min(read for _, read in costs[2:-1]), (path, costs)
