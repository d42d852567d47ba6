"""The console's static files, read and zipped once per process.

They stand at an address with the build in it, which changes with any of them; so browsers keep them for a year. What a page
from before a deployment asks for is answered with the file of now, which is kept by nobody.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
# Other files of the folder are not for browsers. A font is packed as it is.
_CONTENT_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_PACKED = frozenset({".woff2"})
_BUILD_DIGITS = 12
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as browsers get it. `zipped` None: it is packed by itself."""

    content: bytes
    zipped: bytes | None
    content_type: str


@dataclass(frozen=True, slots=True)
class Served:
    """Body and headers of an answer. The body is binary, whatever the file."""

    body: bytes
    headers: dict[str, str]


def answer(build_asked: str, name: str, *, accepted: str) -> Served | None:
    """The file of that name, None without one. `accepted`: the client's Accept-Encoding."""
    file = find(name)
    if file is None:
        return None
    headers = {
        "Content-Type": file.content_type,
        "Cache-Control": _FOR_A_YEAR if build_asked == build() else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if file.zipped is None:
        return Served(file.content, headers)
    headers["Vary"] = "Accept-Encoding"
    if "gzip" not in accepted.lower():
        return Served(file.content, headers)
    return Served(file.zipped, {**headers, "Content-Encoding": "gzip"})


def find(name: str) -> StaticFile | None:
    """The file of that name, None without one. Names are compared with the folder's own, so none leads out of it."""
    return _file(name) if name in names() else None


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """The names of all files."""
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _CONTENT_TYPES)


@lru_cache(maxsize=1)
def build() -> str:
    """The name of this build: a digest over all names and contents."""
    digest = hashlib.sha256()
    for name in sorted(names()):
        content = (_FOLDER / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:_BUILD_DIGITS]


@cache  # As many as the folder has.
def _file(name: str) -> StaticFile:
    path = _FOLDER / name
    content = path.read_bytes()
    zipped = None if path.suffix in _PACKED else gzip.compress(content, compresslevel=9, mtime=0)
    return StaticFile(content, zipped, _CONTENT_TYPES[path.suffix])
