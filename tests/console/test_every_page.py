"""Every page of the router: it answers, with an organization full of data and with an empty one, it costs few requests, and it
is small."""

import gzip

import pytest

from chalicelib.console import router
from chalicelib.platform.settings import settings
from tests.support import capacity, console_world
from tests.support.console import Visitor, member_of
from tests.support.story import Story

# What a page may cost: a search reads eight lists.
REQUESTS_MAX = 8
# Lists of events are the API's, which looks for them in several places.
REQUESTS = {"{org}/search": 24, "{org}/events": 12, "{org}/events/{id}": 14}
BYTES_MAX = 12 * 1024
# States in which a page of that object cannot be: it says so by another status.
OTHERWISE = {
    "{org}/subscriptions/{id}/cancel": (200, 404),
    "{org}/invoices/{id}/delete": (200, 405, 404),
    "{org}/invoices/{id}/finalize": (200, 404, 405),
    "{org}/invoices/{id}/dispute": (200, 405),
}


@pytest.fixture
def full(story: Story) -> tuple[Visitor, dict[str, str]]:
    """A member of an organization that has something everywhere."""
    ids = console_world.full(story)
    return console_world.visited(story), ids


def test_every_view_is_there():
    for route in router.ROUTES:
        assert callable(route.load()), route


def test_every_page_answers_costs_few_requests_and_is_small(full):
    visitor, ids = full
    wrong = []
    for route, address in console_world.addresses(visitor, ids):
        visitor.at(address)  # What a process reads once is no part of it.
        with capacity.counting() as meter:
            shown = visitor.at(address)
        size = len(gzip.compress(shown.text.encode(), 6))
        if shown.status not in OTHERWISE.get(route.pattern, (200,)):
            wrong.append(f"{address}: {shown.status}")
        if meter.total > REQUESTS.get(route.pattern, REQUESTS_MAX):
            wrong.append(f"{address}: {dict(meter.requests)}")
        if size > BYTES_MAX:
            wrong.append(f"{address}: {size} bytes")
    assert not wrong, "\n".join(wrong)


def test_every_page_of_an_empty_organization_answers(story: Story):
    visitor = member_of(story)
    for route, address in console_world.addresses(visitor, {}):
        shown = visitor.at(address)
        assert shown.status in ((200, 404) if "{" in route.pattern.removeprefix("{org}") else (200,)), address


def test_every_page_stands_under_the_prefix_of_a_stage(full, monkeypatch):
    visitor, ids = full
    monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:8000/prod")
    settings.cache_clear()
    for _, address in console_world.addresses(visitor, ids):
        text = visitor.at(address).text
        for mark in ('href="/console', 'action="/console', 'src="/console', 'hx-get="/console', 'hx-post="/console'):
            assert mark not in text, address


def test_no_name_is_more_than_text_on_any_page(story: Story):
    ids = console_world.full(story)
    name = "<script>alert(1)</script>"
    story.organization(name=name)
    story.ok("PUT", "/plans/pro", {"plan": {"name": name}})
    story.ok("PUT", "/billable_metrics/calls", {"billable_metric": {"name": name}})
    story.ok("PUT", "/coupons/ten", {"coupon": {"name": name}})
    story.ok("PUT", "/taxes/vat", {"tax": {"name": name}})
    story.ok("PUT", "/add_ons/setup", {"add_on": {"name": name, "description": name}})
    story.customer(
        "ada", name=name, legal_name=name, metadata=[{"key": "k", "value": name, "display_in_invoice": True}]
    )
    story.ok("PUT", "/subscriptions/main", {"subscription": {"name": name}})
    story.ok("PUT", f"/webhook_endpoints/{ids['endpoint']}", {"webhook_endpoint": {"name": name}})
    visitor = console_world.visited(story)
    seen = 0
    for _, address in console_world.addresses(visitor, ids):
        text = visitor.at(address).text
        assert "<script>alert" not in text, address
        seen += "&lt;script&gt;alert" in text
    assert seen > 30
