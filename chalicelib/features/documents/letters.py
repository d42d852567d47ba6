"""Letters: which fonts a text needs, and how texts of both directions stand in one line.

Inter draws every document. The fonts of other scripts are read only where a text has such letters: reading all of them takes
seconds.
"""

import unicodedata
from collections.abc import Mapping

_BASE = "Own"

# The scripts by the names of their fonts, in the order in which a letter is looked for, with the first and last of their
# letters.
SCRIPTS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "hebrew": ((0x0590, 0x05FF), (0xFB1D, 0xFB4F)),
    "arabic": ((0x0600, 0x06FF), (0x0750, 0x077F), (0x08A0, 0x08FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFE)),
    "thaana": ((0x0780, 0x07BF),),
    "devanagari": ((0x0900, 0x097F), (0x1CD0, 0x1CFF), (0xA8E0, 0xA8FF)),
    "bengali": ((0x0980, 0x09FF),),
    "gurmukhi": ((0x0A00, 0x0A7F),),
    "gujarati": ((0x0A80, 0x0AFF),),
    "oriya": ((0x0B00, 0x0B7F),),
    "tamil": ((0x0B80, 0x0BFF),),
    "telugu": ((0x0C00, 0x0C7F),),
    "kannada": ((0x0C80, 0x0CFF),),
    "malayalam": ((0x0D00, 0x0D7F),),
    "sinhala": ((0x0D80, 0x0DFF),),
    "thai": ((0x0E00, 0x0E7F),),
    "lao": ((0x0E80, 0x0EFF),),
    "myanmar": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "khmer": ((0x1780, 0x17FF), (0x19E0, 0x19FF)),
    "ethiopic": ((0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F)),
    "armenian": ((0x0530, 0x058F), (0xFB13, 0xFB17)),
    "georgian": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF), (0x2D00, 0x2D2F)),
    "tc": ((0x2E80, 0x312F), (0x31A0, 0x9FFF), (0xF900, 0xFAFF), (0xFE10, 0xFE4F), (0xFF00, 0xFFEF)),
    "kr": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
}
# Fonts with a second weight, for documents in their language.
_BOLD = frozenset({"tc"})
# Fonts that the system may have for all else; the last resort is a box.
_SYSTEM = '"Droid Sans Fallback", "DejaVu Sans", sans-serif'

_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
# Marks that turn the text around them, which nobody needs in a name.
_OVERRIDES = dict.fromkeys((*range(0x202A, 0x202F), 0x2066, 0x2067))
_MARKS = _OVERRIDES | dict.fromkeys((0x2068, 0x2069))


def scripts(text: str) -> tuple[str, ...]:
    """The scripts beyond Latin, Greek and Cyrillic that a text has letters of."""
    found = {ord(letter) for letter in set(text)}
    return tuple(
        name
        for name, ranges in SCRIPTS.items()
        if any(low <= letter <= high for low, high in ranges for letter in found)
    )


def css(needed: tuple[str, ...]) -> str:
    """The styles that name the fonts of scripts, and make them the fonts of a document."""
    faces = [(_BASE, 400, "inter-regular.otf"), (_BASE, 600, "inter-semibold.otf")]
    for name in needed:
        faces.append((_family(name), 400, f"noto-sans-{name}.woff2"))
        if name in _BOLD:
            faces.append((_family(name), 600, f"noto-sans-{name}-bold.woff2"))
    rules = [
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; src: url(font:{file}); }}'
        for family, weight, file in faces
    ]
    families = ", ".join(f'"{family}"' for family in (_BASE, *map(_family, needed)))
    return "\n".join([*rules, f"html {{ font-family: {families}, {_SYSTEM}; }}"])


def _family(script: str) -> str:
    return f"{_BASE} {script}"


def without_overrides(text: str) -> str:
    """A text without the marks that turn what stands around them."""
    return text.translate(_OVERRIDES)


def isolated(text: str) -> str:
    """A text of somebody's as a part of a longer one, whose order it does not change though it is written from right to
    left."""
    plain = text.translate(_MARKS)
    turns = any(unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT for letter in plain)
    return f"{_ISOLATE}{plain}{_END}" if turns else plain
