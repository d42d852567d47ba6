"""The console's static files: what is served, how long it is kept, and that vendored ones are what they say."""

import gzip
import hashlib
import re
import shutil
from xml.etree import ElementTree

import pytest

from chalicelib.console import static_files
from scripts import vendor_console

STATIC = vendor_console.STATIC
# What is left of the first visit's 120 KB for the page itself.
_FIRST_VISIT_MAX = (120 - 12) * 1024
_PACKAGE_MAX = 500_000


def _vendored() -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` .*\| `([0-9a-f]{64})` \|$", (STATIC / "VENDORED.md").read_text(), re.MULTILINE)
    return dict(rows)


def test_vendored_files_are_those_of_the_page():
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in _vendored()}
    assert found == _vendored()
    assert set(found) == {package.target for package in vendor_console.PACKAGES} | {vendor_console.LICENCES}


def test_the_page_of_vendored_files_is_as_the_script_writes_it():
    made = {name: (STATIC / name).read_bytes() for name in _vendored()}
    assert vendor_console.page(made) == (STATIC / "VENDORED.md").read_text()


def test_every_file_is_vendored_or_ours():
    ours = {
        name for name in static_files.names() if name.startswith("console.") or name in ("mark.svg", "changelog.txt")
    }
    assert static_files.names() - ours == set(_vendored())


def test_the_changelog_is_that_of_the_project():
    assert static_files.find("changelog.txt").content == (STATIC.parents[2] / "CHANGELOG.md").read_bytes()


def of_pages() -> list[str]:
    """Files that pages load; texts are read by who wants them."""
    return [name for name in static_files.names() if not name.endswith(".txt")]


def test_the_sprite_has_a_symbol_for_each_icon():
    symbols = list(ElementTree.parse(STATIC / "icons.svg").getroot())
    assert [symbol.get("id") for symbol in symbols] == sorted(vendor_console.ICONS)
    assert {symbol.get("viewBox") for symbol in symbols} == {"0 0 24 24"}
    assert all(len(symbol) for symbol in symbols)


@pytest.mark.parametrize(
    "drawn",
    [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><script>alert(1)</script></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="M1 1" onclick="alert(1)"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 1"/></svg>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"/>',
    ],
)
def test_what_is_no_outline_does_not_get_into_the_sprite(drawn):
    with pytest.raises(ValueError, match="odd"):
        vendor_console.sprite({"odd": drawn})


@pytest.mark.parametrize("name", sorted(static_files.names()))
def test_each_file_is_served_whole_zipped_or_not(name):
    plain = static_files.answer(static_files.build(), name, accepted="")
    zipped = static_files.answer(static_files.build(), name, accepted="gzip, deflate, br")
    assert plain.body == (STATIC / name).read_bytes()
    assert "Content-Encoding" not in plain.headers
    if name.endswith(".woff2"):
        assert zipped == plain
    else:
        assert gzip.decompress(zipped.body) == plain.body
        assert zipped.headers == {**plain.headers, "Content-Encoding": "gzip"}
        assert plain.headers["Vary"] == "Accept-Encoding"


def test_files_of_this_build_are_kept_for_a_year_and_those_of_another_by_nobody():
    headers = [
        static_files.answer(build, "htmx.min.js", accepted="").headers for build in (static_files.build(), "0" * 12)
    ]
    assert [each.pop("Cache-Control") for each in headers] == ["public, max-age=31536000, immutable", "no-cache"]
    assert headers[0] == headers[1]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("htmx.min.js", "text/javascript; charset=utf-8"),
        ("bootstrap.min.css", "text/css; charset=utf-8"),
        ("icons.svg", "image/svg+xml"),
        ("inter-latin-wght-normal.woff2", "font/woff2"),
    ],
)
def test_content_types(name, content_type):
    headers = static_files.answer("", name, accepted="").headers
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == (content_type, "nosniff")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "nothing.js",
        "VENDORED.md",
        "../static_files.py",
        "../static/htmx.min.js",
        "./htmx.min.js",
        "/etc/passwd",
        "%2e%2e/static_files.py",
        "..\\static_files.py",
        "htmx.min.js\0",
        "HTMX.MIN.JS",
    ],
)
def test_no_other_name_leads_to_a_file(name):
    assert static_files.find(name) is None
    assert static_files.answer(static_files.build(), name, accepted="gzip") is None


def test_a_file_is_read_and_zipped_once():
    assert static_files.find("htmx.min.js") is static_files.find("htmx.min.js")


def test_the_build_changes_with_each_name_and_each_byte(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    shutil.copytree(STATIC, folder)
    monkeypatch.setattr(static_files, "_FOLDER", folder)

    def build() -> str:
        static_files.names.cache_clear()
        static_files.build.cache_clear()
        return static_files.build()

    try:
        builds = [build()]
        (folder / "VENDORED.md").write_text("not served")
        assert build() == builds[0]
        (folder / "console.more.css").write_text("")
        builds.append(build())
        (folder / "console.more.css").write_text("a{}")
        builds.append(build())
        (folder / "console.more.css").rename(folder / "console.else.css")
        builds.append(build())
    finally:
        monkeypatch.undo()
        static_files.names.cache_clear()
        static_files.build.cache_clear()
    assert len(set(builds)) == 4
    assert all(re.fullmatch("[0-9a-f]{12}", each) for each in builds)
    assert builds[0] == static_files.build()


def test_a_first_visit_leaves_room_for_the_page():
    wire = {name: static_files.answer("", name, accepted="gzip").body for name in of_pages()}
    assert sum(map(len, wire.values())) <= _FIRST_VISIT_MAX, {name: len(body) for name, body in wire.items()}


def test_the_package_grows_by_little():
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in STATIC.iterdir()}
    assert sum(sizes.values()) < _PACKAGE_MAX, sizes


def test_our_own_files_stay_small_and_so_does_the_first_visit():
    own = {name: static_files.find(name) for name in static_files.names() if name.startswith("console.")}
    assert len(own["console.css"].content) <= 25_000
    assert len(own["console.css"].zipped) <= 7_000
    assert len(own["console.sections.css"].content) <= 12_000
    assert len(own["console.js"].content.splitlines()) <= 150
    wire = sum(len(file.zipped or file.content) for file in map(static_files.find, of_pages()))
    assert wire + 6_000 <= 120_000  # With a page.
