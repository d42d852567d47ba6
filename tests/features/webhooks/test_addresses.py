"""URLs of endpoints: what a request can be made to, and what is refused when it is told instead of when it is called."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.features.webhooks import address, delivery
from chalicelib.features.webhooks.delivery import Request
from chalicelib.features.webhooks.store import ENDPOINTS
from chalicelib.platform import agenda, clock
from tests.features.webhooks.test_webhooks import messages
from tests.support.story import work

LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])

SOUND = {
    "http://e.com": ("e.com", 80, "/", "e.com"),
    "https://E.com:8443/a/b?x=1&y=%20#part": ("e.com", 8443, "/a/b?x=1&y=%20", "e.com:8443"),
    "http://e.com:/": ("e.com", 80, "/", "e.com"),
    "https://e.com:443": ("e.com", 443, "/", "e.com"),
    "http://e.com./": ("e.com", 80, "/", "e.com"),
    "http://my_host/": ("my_host", 80, "/", "my_host"),
    "http://127.0.0.1:9/hook": ("127.0.0.1", 9, "/hook", "127.0.0.1:9"),
    "http://[::1]:8000/": ("::1", 8000, "/", "[::1]:8000"),
    "http://bücher.example/ö?ü=[1]": (
        "xn--bcher-kva.example",
        80,
        "/%C3%B6?%C3%BC=%5B1%5D",
        "xn--bcher-kva.example",
    ),
    "http://xn--bcher-kva.example/": ("xn--bcher-kva.example", 80, "/", "xn--bcher-kva.example"),
    f"http://{LONGEST}/": (LONGEST, 80, "/", LONGEST),
}

UNSOUND = [
    "http://a..b/",
    "http://.a/",
    "http://a../",
    "http://./",
    f"http://{'a' * 64}.com/",
    f"http://{'ü' * 60}.com/",
    f"http://{LONGEST}.c/",
    "http://",
    "http:///path",
    "//e.com/",
    "ftp://e.com/",
    "file:///etc/passwd",
    "http://e.com:0/",
    "http://e.com:65536/",
    "http://e.com:http/",
    "http://e.com:-1/",
    "http://e.com:８０/",
    "http://user@e.com/",
    "http://user:word@e.com/",
    "http://e.com\\@other.com/",
    "http://e com/",
    " http://e.com/",
    "http://e.com/ x",
    "http://e.com/\r\nX-Other: 1",
    "http://e.com/\x00",
    "http://e\x7f.com/",
    "http://e$.com/",
    "http://e%41.com/",
    "http://straße.example/",
    "http://a\u200db.example/",
    "http://\u2488com/",
    "http://[::1/",
    "http://[::g]/",
    "http://[fe80::1%25eth0]/",
    "http://[127.0.0.1]/",
    "http://[v1.e]/",
    "http://\udc80.com/",
]


@pytest.mark.parametrize("url", SOUND)
def test_what_a_request_needs(url):
    host, port, target, header = SOUND[url]
    found = address.read(url)
    assert (found.host, found.port, found.target, found.host_header) == (host, port, target, header)


@pytest.mark.parametrize("url", UNSOUND)
def test_what_cannot_be_called_is_a_failed_attempt(url):
    with pytest.raises(ValueError, match=r".|^$"):
        address.read(url)
    verdict = delivery.attempt(Request(url, b"{}", {}))
    assert (verdict.delivered, verdict.http_status) == (False, None)
    assert verdict.response


@given(st.text(max_size=30))
@example("[")
def test_any_text_is_an_address_of_plain_characters_or_refused(text):
    for url in (text, f"http://{text}", f"http://{text}/{text}?{text}", f"https://e.com:{text}/"):
        try:
            found = address.read(url)
        except ValueError:
            continue
        assert f"{found.host}{found.target}{found.host_header}".isascii()
        assert not any(character.isspace() for character in found.target)
        assert all(0 < len(label) < 64 for label in found.host.split(".")) or ":" in found.host
        assert 0 < found.port < 65536


def test_they_are_refused_where_they_are_told(story):
    made = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://e.com"}})
    path = f"/webhook_endpoints/{made['webhook_endpoint']['lago_id']}"
    for url in UNSOUND:
        if "\udc80" in url:
            continue  # No JSON has it.
        for answer in (
            story.call("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": url}}),
            story.call("PUT", path, {"webhook_endpoint": {"webhook_url": url}}),
            story.call("PUT", "/organizations", {"organization": {"webhook_url": url}}),
        ):
            assert (answer.status, answer.body["error_details"]) == (422, {"webhook_url": ["url_is_invalid"]}), url
    long = story.call("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://e.com/" + "x" * 2036}})
    assert long.body["error_details"] == {"webhook_url": ["value_is_too_long"]}
    found = story.ok("GET", "/webhook_endpoints")["webhook_endpoints"]
    assert [endpoint["webhook_url"] for endpoint in found] == ["http://e.com"]


def test_one_that_stands_in_the_table_already_fails_and_is_tried_again_as_any_other(story):
    """Accepted by an earlier version."""
    made = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://e.com"}})
    organization = story.ref
    old = ENDPOINTS.get(organization.id, made["webhook_endpoint"]["lago_id"])
    ENDPOINTS.replace(organization.id, old, old.model_copy(update={"webhook_url": "http://a..b/"}))
    story.customer("c")
    work("jobs")
    work("webhooks")
    (message,) = messages(story)
    assert (message.status, message.retries, message.http_status) == ("retrying", 1, None)
    assert message.response.startswith("ValueError")
    assert list(agenda.parked()) == []
    soon = clock.utc_now() + timedelta(seconds=10)
    (task,) = [each for n in range(limits.DUE_SHARDS) for each in agenda.due(n, until=soon)]
    assert (task.kind.name, task.attempts) == ("deliver_webhook", 0)
