"""URLs of endpoints: what a request can be made to, and what is refused when it is told instead of when it is called."""

import socket
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib import limits
from chalicelib.features.webhooks import address, delivery
from chalicelib.features.webhooks.delivery import Request
from chalicelib.features.webhooks.store import ENDPOINTS
from chalicelib.platform import agenda, clock
from chalicelib.platform.settings import settings
from tests.support.messages import messages
from tests.support.receiving import deliver

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
    assert verdict.error


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


PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 54.230.1.1 100.63.255.255 100.128.0.0 128.0.0.1 172.15.255.255 172.32.0.0 169.253.255.255
191.255.255.255 192.0.1.1 192.0.3.1 192.167.1.1 192.169.1.1 198.17.255.255 198.20.0.0 203.0.112.1 203.0.114.1 223.255.255.255
2001:200::1 2001:4860:4860::8888 2003::1 2400:cb00::1 2600:1f18::1 2606:4700::1111 2a00:1450::1 2c0f:fb50::1 2000::1 3ffd::1
"""

REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.0.1 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.10 192.0.0.170 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1
192.168.0.1 192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
255.255.255.254 255.255.255.255
:: ::1 ::2 ::8.8.8.8 ::7f00:1 ::ffff:8.8.8.8 ::ffff:10.0.0.1 ::ffff:0:8.8.8.8 64:ff9b::8.8.8.8 64:ff9b::a00:1 64:ff9b:1::1
100::1 100:0:0:1::1 1fff::1 2001::1 2001::8.8.8.8 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:30::1
2001:1ff:ffff::1 2001:db8::1 2002::1 2002:808:808::1 2002:a00:1::1 2620:4f:8000::1 3ffe::1 3fff::1 3fff:fff::1 4000::1 5f00::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 febf::1 fec0::1 feff::1 ff00::1 ff02::1 ff0e::1 ffff::1
"""


@pytest.mark.parametrize("ip", PUBLIC.split())
def test_public_addresses_are_called(ip):
    assert address.public(ip)


@pytest.mark.parametrize("ip", REFUSED.split())
def test_all_others_are_refused(ip):
    assert not address.public(ip)


@pytest.fixture
def strict(monkeypatch):
    """The local stack as strict as the cloud."""
    monkeypatch.setenv("WEBHOOK_PRIVATE_ADDRESSES", "0")
    settings.cache_clear()
    yield
    settings.cache_clear()


def resolving(monkeypatch, *ips: str) -> None:
    def found(host: str, port: int, **_: object) -> list[object]:
        return [(None, None, None, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_a_host_is_refused_if_any_of_its_addresses_is(strict, monkeypatch):
    resolving(monkeypatch, "8.8.8.8", "1.1.1.1", "8.8.8.8")
    assert delivery.checked_addresses("e.com", 80) == ["8.8.8.8", "1.1.1.1"]
    resolving(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(delivery.RefusedAddress, match=r"e\.com resolves to 10\.0\.0\.1"):
        delivery.checked_addresses("e.com", 80)
    verdict = delivery.attempt(Request("http://e.com/", b"{}", {}))
    assert (verdict.delivered, verdict.error) == (False, "RefusedAddress: e.com resolves to 10.0.0.1")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::ffff:7f00:1]"])
def test_other_spellings_of_an_address_are_that_address(strict, host):
    assert "RefusedAddress" in delivery.attempt(Request(f"http://{host}/", b"{}", {})).error


@pytest.mark.parametrize(
    ("setting", "allowed", "refused"),
    [
        ("", [80, 443, 8080, 8443], [22, 25, 81, 6379, 9200]),
        ("443,9000", [443, 9000], [80, 8080]),
        ("*", [1, 22, 65535], []),
    ],
)
def test_unusual_ports_are_called_by_setting_only(strict, monkeypatch, setting, allowed, refused):
    monkeypatch.setenv("WEBHOOK_PORTS", setting)
    settings.cache_clear()
    for port in allowed:
        address.check_port(port)
    for port in refused:
        with pytest.raises(delivery.RefusedAddress):
            address.check_port(port)
        assert "RefusedAddress" in delivery.attempt(Request(f"http://8.8.8.8:{port}/", b"{}", {})).error


def test_the_local_stack_calls_any_port():
    settings.cache_clear()
    address.check_port(22)
    settings.cache_clear()


@pytest.mark.parametrize("setting", ["x", "80,", "0", "65536"])
def test_a_list_of_ports_that_cannot_be_read_fails_at_the_start(monkeypatch, setting):
    monkeypatch.setenv("WEBHOOK_PORTS", setting)
    settings.cache_clear()
    with pytest.raises(ValueError, match=r"."):
        settings()
    settings.cache_clear()


def test_an_unusual_port_is_refused_where_it_is_told(story, monkeypatch):
    monkeypatch.setenv("WEBHOOK_PRIVATE_ADDRESSES", "0")
    settings.cache_clear()
    for method, path, root in (
        ("POST", "/webhook_endpoints", "webhook_endpoint"),
        ("PUT", "/organizations", "organization"),
    ):
        answer = story.call(method, path, {root: {"webhook_url": "http://e.com:22/"}})
        assert (answer.status, answer.body["error_details"]) == (422, {"webhook_url": ["url_is_invalid"]})
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://e.com:8443/"}})


def test_one_that_stands_in_the_table_already_fails_and_is_tried_again_as_any_other(story):
    """Accepted by an earlier version."""
    made = story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://e.com"}})
    organization = story.ref
    old = ENDPOINTS.get(organization.id, made["webhook_endpoint"]["lago_id"])
    ENDPOINTS.replace(organization.id, old, old.model_copy(update={"webhook_url": "http://a..b/"}))
    story.customer("c")
    deliver()
    (message,) = messages(story.ref.id)
    assert (message.status, message.attempts, message.http_status) == ("retrying", 1, None)
    assert message.error.startswith("ValueError")
    assert list(agenda.parked()) == []
    soon = clock.utc_now() + timedelta(seconds=10)
    (task,) = [each for n in range(limits.DUE_SHARDS) for each in agenda.due(n, until=soon)]
    assert (task.kind.name, task.attempts) == ("webhook_stream", 0)
