"""`make rooms`: draw the rooms of the house from their imports, and put the picture into docs/architecture.md.

An arrow is left out where a longer way leads there as well (the transitive reduction): what a room may use is all that
lies below it along the arrows.
"""

from collections.abc import Mapping, Set
from pathlib import Path

import grimp

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by make rooms -->\n", "<!-- end of rooms -->\n"

# Modules with numbers and the version only: everybody may read them.
_NO_ROOMS = frozenset({"limits", "version"})

Arrows = Mapping[str, Set[str]]


def arrows() -> dict[str, set[str]]:
    """Each room with the rooms that it imports."""
    graph = grimp.build_graph("chalicelib", cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in sorted(graph.modules):
        room = _room(module)
        if room is not None:
            used = {_room(each) for each in graph.find_modules_directly_imported_by(module)}
            found.setdefault(room, set()).update(each for each in used - {room} if each is not None)
    return found


def reduced(found: Arrows) -> dict[str, set[str]]:
    """The arrows that no longer way makes superfluous."""
    return {
        room: {one for one in used if not any(one in below(found, other) for other in used - {one})}
        for room, used in found.items()
    }


def below(found: Arrows, room: str) -> set[str]:
    """All rooms that a room reaches."""
    seen: set[str] = set()
    open_ends = [room]
    while open_ends:
        for each in found.get(open_ends.pop(), frozenset()) - seen:
            seen.add(each)
            open_ends.append(each)
    return seen


def picture(found: Arrows) -> str:
    """The rooms as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    lines += [f"    {_node(room)}" for room in sorted(found) if "/" not in room]
    lines += ["    subgraph features"]
    lines += [f"        {_node(room)}" for room in sorted(found) if "/" in room]
    lines += ["    end"]
    lines += [f"    {_name(room)} --> {_name(used)}" for room in sorted(found) for used in sorted(reduced(found)[room])]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def placed(page: str, drawn: str) -> str:
    """The page with the picture in its place."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{drawn}{END}{after}"


def _room(module: str) -> str | None:
    parts = module.split(".")[1:]
    if not parts or parts[0] in _NO_ROOMS or parts == ["features"]:
        return None
    return "/".join(parts[:2]) if parts[0] == "features" else parts[0]


def _name(room: str) -> str:
    return room.removeprefix("features/")


def _node(room: str) -> str:
    return f"{_name(room)}[{_name(room)}]"


if __name__ == "__main__":
    PAGE.write_text(placed(PAGE.read_text(), picture(arrows())))
