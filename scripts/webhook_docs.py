"""`make webhook-docs`: an example of each type of message into docs/webhooks.md, from a run in which everything happens.

When a type is sent is said by rules/webhooks 4.1. Ids, links and instants of the run's own day are made the
same each time; of lists the first element is shown.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE, RULES = ROOT / "docs/webhooks.md", ROOT / "docs/rules/webhooks.md"
BEGIN, END = "<!-- types: written by make webhook-docs -->\n", "<!-- end of types -->\n"

_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_INSTANT = re.compile(r'"(\d{4})-\d\d-\d\dT[0-9:.]+(?:Z|\+00:00)"')
_LINK = re.compile(r'"https?://[^"]*(?:/files/|\.pdf|AWSAccessKeyId|X-Amz)[^"]*"')
_PAGE = re.compile(r'"http://127\.0\.0\.1:\d+/pay/[^"]*"')
_THEIRS = re.compile(r'"(cus|pm|pi|re|cs|evt|dp)_[0-9a-f]{24}"')  # A provider's ids.
_NUMBER = re.compile(r'"ACM-[0-9A-F]{4}')
_YEAR = "2024"  # Of the story's clock; instants of other years are the real day's.
_LINE_MAX = 120


def sent_when() -> dict[str, str]:
    """When each type is sent, as the rules say it."""
    section = RULES.read_text().partition("### 4.1 Sent")[2].partition("### 4.2")[0]
    found: dict[str, str] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            found |= dict.fromkeys(re.findall(r"`([a-z_]+\.[a-z_]+)`", cells[0]), cells[2])
    return found


def examples(messages: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """An example of each type, as text; the same one whatever order the messages came in."""
    chosen: dict[str, str] = {}
    for message in messages:
        text = _written(_shortened(message))
        name = str(message["webhook_type"])
        chosen[name] = min(chosen.get(name, text), text, key=lambda each: (_UUID.sub("", _stable(each)), each))
    known: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return known.setdefault(found[0], f"00000000-0000-4000-8000-{len(known) + 1:012d}")

    return {name: _UUID.sub(named, _stable(chosen[name])) for name in sorted(chosen)}


def section(shown: Mapping[str, str]) -> str:
    """The part of the page that lists all types."""
    when = sent_when()
    lines = []
    for name, text in shown.items():
        lines += [f"### {name}\n", f"Sent when: {when[name]}.\n", f"```json\n{text}\n```\n"]
    return "\n".join(lines)


def listed(page: str) -> dict[str, Any]:
    """The types that a page lists, each with its example."""
    own = page.partition(BEGIN)[2].partition(END)[0]
    return {name: json.loads(text) for name, text in re.findall(r"### (\S+)\n.*?```json\n(.*?)\n```", own, re.DOTALL)}


def placed(page: str, own: str) -> str:
    """The page with the list in its place."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{own}\n{END}{rest.partition(END)[2]}"


def _stable(text: str) -> str:
    text = _INSTANT.sub(lambda found: found[0] if found[1] == _YEAR else f'"{_YEAR}-01-01T00:00:00Z"', text)
    text = _LINK.sub('"https://api.example.com/files/…"', text)
    text = _PAGE.sub('"https://checkout.stripe.com/c/pay/…"', text)
    text = _THEIRS.sub(r'"\1_1A2B3C4D"', text)
    return _NUMBER.sub('"ACM-1A2B', text)


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shortened(each) for key, each in value.items()}
    return [_shortened(each) for each in value[:1]] if isinstance(value, list) else value


def _written(value: Any, indent: int = 0) -> str:
    """As JSON, with as much on a line as fits there."""
    short = json.dumps(value, ensure_ascii=False)
    if len(short) + indent <= _LINE_MAX or not isinstance(value, dict | list):
        return short
    inner = " " * (indent + 2)
    if isinstance(value, list):
        return "[\n" + ",\n".join(inner + _written(each, indent + 2) for each in value) + f"\n{' ' * indent}]"
    rows: list[str] = []
    for key, each in value.items():
        pair = f"{json.dumps(key)}: {_written(each, indent + 2)}"
        if rows and "\n" not in rows[-1] + pair and len(rows[-1]) + len(pair) + 2 <= _LINE_MAX:
            rows[-1] += f", {pair}"
        else:
            rows.append(inner + pair)
    return "{\n" + ",\n".join(rows) + f"\n{' ' * indent}}}"


def main() -> None:
    """Run the story, and write the page."""
    import os

    from tests.support import aws

    os.environ.update(aws.variables())
    os.environ.pop("AWS_ENDPOINT_URL", None)
    with aws.in_memory():
        from tests.support.story import Story
        from tests.support.telling import everything, listening

        story = Story.begin()
        with listening(story) as listener:
            everything(story)
    PAGE.write_text(placed(PAGE.read_text(), section(examples(listener.messages))))


if __name__ == "__main__":
    main()
