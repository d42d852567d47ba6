"""The documents: what points somewhere points to something that is there."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__)

MODULES = [path for top in ("chalicelib", "tests", "scripts", "infra") for path in sorted((ROOT / top).rglob("*"))]
CODE = [ROOT / "app.py", *(path for path in MODULES if path.suffix in (".py", ".sh") and path != HERE)]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "infra" / "resources.json"]

# `Source:` names a page and its sections: `rules/usage 3, 3.2; decisions/0018`. A heading without a number is quoted.
NUMBERS = r"\d+(?:\.\d+)?(?:(?:, | to )\d+(?:\.\d+)?)*"
RULE = re.compile(rf"\brules/([a-z-]+)(?: ({NUMBERS}))?")
DECISION = re.compile(r"\bdecisions/(\d+)")
HEADING = re.compile(r'\b(architecture|benchmarks|operations|glossary) "([^"]+)"')
NAMED = r'(?:architecture|benchmarks|operations) "[^"]+"'
REFERENCE = rf"(?:rules/[a-z-]+ {NUMBERS}|decisions/\d{{4}}|{NAMED}|RFC \d+(?:, RFC \d+)*)"
SOURCE = re.compile(rf"{REFERENCE}(?:; {REFERENCE})*")

# Documents that are not in the repository.
FORBIDDEN = re.compile(
    r"(?:design|house|style|payments|console)\.md|openapi\.ya?ml|api-inventory|money-pitfalls|seed-changelog|reference/|"
    r"\.md sections? \d|\bissues? #?\d"
)
# Pages of rules, named as a file: code names page and section instead.
BARE = re.compile(r"(?<![\w/-])(?:billing-periods|usage|invoices|catalog|money|webhooks)\.md")


def shown(path: Path) -> str:
    """A path for messages."""
    return str(path.relative_to(ROOT))


def flowing(text: str) -> str:
    """A text whose lines, and lines of comments, run on."""
    return re.sub(r"\s*\n\s*(?:#\s*)?", " ", text)


@cache
def headings(page: Path) -> tuple[str, ...]:
    """The headings of a page, without those in blocks of code."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return tuple(re.findall(r"^#+ (.+?)\s*$", prose, re.MULTILINE))


def sections(page: Path) -> set[str]:
    """The numbers of a page's sections."""
    return {found[1] for each in headings(page) if (found := re.match(r"(\d+(?:\.\d+)?)\.? ", each))}


def dangling(text: str) -> Iterator[str]:
    """References to rules, decisions and headings that lead nowhere."""
    for page, numbers in RULE.findall(text):
        path = ROOT / "docs" / "rules" / f"{page}.md"
        known = sections(path) if path.exists() else set()
        wrong = [number for number in re.findall(r"\d+(?:\.\d+)?", numbers) if number not in known]
        if not path.exists() or wrong:
            yield f"rules/{page} {', '.join(wrong)}"
    for number in DECISION.findall(text):
        if not list((ROOT / "docs" / "decisions").glob(f"{number}-*.md")):
            yield f"decisions/{number}"
    for page, heading in HEADING.findall(text):
        if heading not in headings(ROOT / "docs" / f"{page}.md"):
            yield f'{page} "{heading}"'


def test_every_source_names_a_page_and_a_section_that_are_there():
    wrong, sources = [], 0
    for path in CODE:
        text = flowing(path.read_text())
        for found in re.finditer(r"(?<!-> )Source: (?=\S)", text):
            sources += 1
            if not SOURCE.match(text, found.end()):
                wrong.append(f"{shown(path)}: {text[found.start() : found.end() + 40]}")
        wrong += [f"{shown(path)}: {each}" for each in dangling(text)]
    assert wrong == []
    assert sources > 150


@pytest.mark.parametrize(
    "text",
    ["rules/usage 99", "rules/usage 3, 3.99", "rules/nothing 1", "decisions/9999", 'architecture "Nowhere"'],
)
def test_a_reference_that_leads_nowhere_is_seen(text):
    assert list(dangling(f"Source: {text}.")) != []


def test_nothing_names_documents_that_are_not_in_the_repository():
    wrong = [
        f"{shown(path)}: {found[0]}"
        for path in [*CODE, *PAGES, *OTHERS]
        for found in FORBIDDEN.finditer(flowing(path.read_text()))
    ]
    wrong += [f"{shown(path)}: {found[0]}" for path in CODE for found in BARE.finditer(path.read_text())]
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of them where the pages are shown."""
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", each).lower()) for each in headings(page))
    return {each.replace(" ", "-") for each in kept}


def test_every_relative_link_leads_to_a_file_and_a_heading():
    wrong, links = [], 0
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            links += 1
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                wrong.append(f"{shown(page)}: {target}")
    assert wrong == []
    assert links > 50


# A path in backticks is of the repository, or below one of these.
BELOW = [ROOT, ROOT / "chalicelib", ROOT / "tests", ROOT / "docs"]
MADE = {"build", "dist"}  # Folders that are there or not, with what was made last.
TOPS = {part.name for folder in BELOW for part in folder.iterdir() if part.is_dir() and part.name[0] != "."} - MADE
PATH = re.compile(r"[\w./{},*-]+")


def unbraced(path: str) -> list[str]:
    """`a/{b,c}.py` as `a/b.py` and `a/c.py`."""
    parts = [part[1:-1].split(",") if part.startswith("{") else [part] for part in re.split(r"(\{[^{}]*\})", path)]
    return ["".join(each) for each in product(*parts)]


def there(path: str, below: list[Path]) -> bool:
    """Whether a path is in the tree: a file, a module without its ending, a folder, or any of a pattern."""
    return any(list(folder.glob(path.rstrip("/"))) or list(folder.glob(f"{path}.py")) for folder in below)


def lost_paths(text: str) -> Iterator[str]:
    """Paths in backticks that are not in the tree. A name alone stands in the folder of the path before it."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.split(r"\n\s*\n", prose):
        folders: list[Path] = []
        for quoted in re.findall(r"`([^`\n]+)`", paragraph):
            if not PATH.fullmatch(quoted) or quoted.startswith((".", "/", "make")):
                continue
            module = quoted.endswith(".py")
            if "/" not in quoted and not module:
                continue
            if "/" in quoted and not module and quoted.split("/")[0] not in TOPS:
                continue
            for path in unbraced(quoted):
                if not there(path, BELOW if "/" in path else [ROOT, *folders]):
                    yield path
            if "/" in quoted:
                folders = [folder / quoted.rsplit("/", 1)[0] for folder in BELOW]


def test_every_path_in_backticks_is_in_the_tree():
    wrong = [f"{shown(page)}: {path}" for page in PAGES for path in lost_paths(page.read_text())]
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    ["`features/nowhere/a.py`", "`features/metering/{write,nothing}.py`", "`features/rating/pricing.py`, `lost.py`"],
)
def test_a_lost_path_is_seen(text):
    assert len(list(lost_paths(text))) == 1
