"""Chromium at a local stack: one of each per worker, and an organization of its own for each test.

A test fails, whatever else it asserts, where a page said an error, broke the policy of its contents, got an answer of 5xx or
is wider than its window. What a failed one did is kept in build/browser.
"""

import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support import browsing
from tests.support.browsing import Member, Organization, Running, Watch
from tests.support.make_run import MakeRun

_HERE = Path(__file__).parent
_GROUPS = 2
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 15_000
WIDE = {"width": 1360, "height": 900}

Visit = Callable[..., Page]
_watch = pytest.StashKey[Watch]()
_contexts = pytest.StashKey[list[BrowserContext]]()
_failed = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and deal its files to as many workers as there are groups: `half` of one that takes as
    long as all others together to each."""
    own = [item for item in items if _HERE in item.path.parents]
    halves = {item: item.callspec.params["half"] for item in own if "half" in getattr(item, "fixturenames", ())}  # type: ignore[attr-defined]
    groups = dealt(Counter(str(item.path) for item in own if item not in halves))
    for item in own:
        item.add_marker(pytest.mark.browser)
        group = halves[item] + 1 if item in halves else groups[str(item.path)]
        item.add_marker(pytest.mark.xdist_group(f"browser-{group}"))


def dealt(tests: Mapping[str, int]) -> dict[str, int]:
    """The group of each file, from its number of tests: the largest first, each to the group that has least."""
    load = dict.fromkeys(range(1, _GROUPS + 1), 0)
    groups: dict[str, int] = {}
    for name, number in sorted(tests.items(), key=lambda each: (-each[1], each[0])):
        groups[name] = min(load, key=lambda group: (load[group], group))
        load[groups[name]] += number
    return groups


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test for what its pages did, and say it where the test fails by itself."""
    try:
        yield
    except Exception as error:
        item.stash[_failed] = True
        for line in _told(item):
            error.add_note(f"seen in the browser: {line}")
        raise
    told = _told(item)
    item.stash[_failed] = bool(told)
    if told:
        raise AssertionError("\n".join(["No page may do what was seen in the browser:", *told]))


def _told(item: pytest.Item) -> list[str]:
    watch = item.stash.get(_watch, None)
    if watch is None:
        return []
    for context in item.stash.get(_contexts, []):
        for page in context.pages:
            watch.look(page)
    return watch.told()


# Of this folder, not of the session: Playwright's loop would be in the way of other tests of the same worker.
@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The whole system, as a process of its own, with fakes of the payment providers."""
    made = MakeRun(tmp_path_factory.mktemp("stack"), PROVIDERS="fake")
    try:
        made.wait_until_up()
        key = (made.folder / ".local" / "admin_api_key").read_text().strip()
        yield Running(f"http://127.0.0.1:{made.port}", key, made.said)
    finally:
        made.end(signal.SIGTERM)
        assert made.nothing_is_left()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        yield running
        running.close()


@pytest.fixture
def organization(request: pytest.FixtureRequest, stack: Running) -> Organization:
    """A new sandbox; `@pytest.mark.organization(timezone="Europe/Paris", at=None)` says what is different about it."""
    mark = request.node.get_closest_marker("organization")
    return browsing.new_organization(stack, **(mark.kwargs if mark else {}))


@pytest.fixture
def new_organization(stack: Running) -> Callable[..., Organization]:
    """For tests that need several."""
    return lambda **fields: browsing.new_organization(stack, **fields)


@pytest.fixture
def sign_in(stack: Running) -> Callable[[Organization], Member]:
    """Let a new user accept the invitation of an organization."""
    return lambda organization: browsing.accept_invitation(stack.url, organization.invite_url, organization.email)


@pytest.fixture
def watch(request: pytest.FixtureRequest) -> Watch:
    """What the pages of this test did that none may do."""
    made = request.node.stash[_watch] = Watch()
    return made


@pytest.fixture
def visit(request: pytest.FixtureRequest, browser: Browser, watch: Watch) -> Iterator[Visit]:
    """A page at an address: `visit(stack.url, member, color_scheme="dark")`; without a member nobody is signed in."""
    contexts = request.node.stash[_contexts] = []

    def opened(url: str, member: Member | None = None, **options: Any) -> Page:
        """A page of a context of its own."""
        defaults: dict[str, Any] = {"viewport": WIDE, "reduced_motion": "reduce", "locale": "en-US"}
        context = browser.new_context(base_url=url, **{**defaults, **options})
        contexts.append(context)
        context.set_default_timeout(_PATIENCE_MS)
        context.tracing.start(snapshots=True)
        watch.over(context)
        if member is not None:
            cookie = {"name": member.cookie, "value": member.session, "url": url, "httpOnly": True, "sameSite": "Lax"}
            context.add_cookies([cookie])  # type: ignore[list-item]
        return context.new_page()

    yield opened
    failed = request.node.stash.get(_failed, True) and request.node.get_closest_marker("xfail") is None
    for number, context in enumerate(contexts, 1):
        if failed:
            name = re.sub(r"[^\w.-]+", "-", request.node.nodeid.removeprefix("tests/browser/")).strip("-")
            browsing.keep(context, browsing.KEPT / f"{name}-{number}")
            if "stack" in request.fixturenames:
                shutil.copy(request.getfixturevalue("stack").said, browsing.KEPT / f"{name}-{number}" / "stack.log")
        context.close()


@pytest.fixture
def visitor(stack: Running, visit: Visit) -> Page:
    """A page on which nobody is signed in."""
    return visit(stack.url)


@pytest.fixture
def page(stack: Running, visit: Visit, organization: Organization, sign_in: Callable[[Organization], Member]) -> Page:
    """A page of a member of the organization."""
    return visit(stack.url, sign_in(organization))


@pytest.fixture
def axe(watch: Watch) -> Callable[[Page], None]:
    """Assert that nothing keeps anybody from using a page."""

    def clean(page: Page) -> None:
        with watch.looking_away(page):
            found = browsing.violations(page)
        assert found == []

    return clean
