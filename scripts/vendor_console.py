"""`python -m scripts.vendor_console`: the console's files that others made, into chalicelib/console/static/.

Each package is fetched by `npm pack` into a temporary folder and compared with the digest that stands here; what is wanted
of it is picked, checked and written, with the licences and with VENDORED.md, which a test compares with the files.
"""

import base64
import hashlib
import json
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

STATIC = Path(__file__).parents[1] / "chalicelib" / "console" / "static"
LICENCES = "licences.txt"
PAGE = "VENDORED.md"

# The names are Tabler's own.
_NAMES = """
activity alert-circle alert-triangle arrow-down arrow-left arrow-right arrow-up bolt building calculator calendar
calendar-event chart-bar check chevron-down chevron-left chevron-right circle-check circle-x clock coin coins copy
credit-card discount dots dots-vertical download external-link eye eye-off file-export file-invoice file-text filter gauge
help history home info-circle key language link list-details lock logout mail map-pin menu-2 minus moon packages pencil
percentage phone player-play plus puzzle receipt receipt-refund refresh repeat search send settings sun tag template
ticket trash user user-circle user-plus users wallet webhook world x
"""
ICONS = tuple(_NAMES.split())
_SVG = "{http://www.w3.org/2000/svg}"
# An invisible square that each icon begins with.
_FRAME = "M0 0h24v24H0z"
# Of a symbol; the width of its lines is the stylesheet's.
_DRAWN = 'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'


@dataclass(frozen=True, slots=True)
class Package:
    """A package, and the file that is made of it. `integrity`: digest of the archive, as npm writes it."""

    name: str
    version: str
    integrity: str
    licence: str
    source: str
    target: str


PACKAGES = (
    Package(
        "htmx.org",
        "4.0.1",
        "sha512-oF7JgXhDW9UXCy/k1ZYFUQgzu/rm19ORWPSPNL91vPluB2PB9+MV55tyQdH/w7o2EAbTYUG5SDW1R60mdkdqGg==",
        "0BSD",
        "dist/htmx.min.js",
        "htmx.min.js",
    ),
    Package(
        "bootstrap",
        "5.3.9",
        "sha512-20cU0rcfw8WdxtVbmfU+xT2EjvVTw9Ror/h1Qvd7DXCujRg8OO9mdBCsmTHdJFf3BuadmBNJtgIuUXsBqSkk/w==",
        "MIT",
        "dist/css/bootstrap.min.css",
        "bootstrap.min.css",
    ),
    Package(
        "@fontsource-variable/inter",
        "5.3.0",
        "sha512-OupL48va4JNofb97w6NYeF9S7W/kHNKM0Er8Dem5nqi4jeOLrVJDoE8tZEpnMJmtkvNbB1EIPPwHcdkF6b1oUA==",
        "OFL-1.1",
        "files/inter-latin-wght-normal.woff2",
        "inter-latin-wght-normal.woff2",
    ),
    Package(
        "@tabler/icons",
        "3.52.0",
        "sha512-dldKlJNfO/gZnGLcIY0X2EFFKIMGwL/rEvTqglvBgAPFiwj9pZOCN5V3Sf0Gyjq6foX4VQmLdOmsS4w5FdWKAw==",
        "MIT",
        "icons/outline",
        "icons.svg",
    ),
)


def main() -> None:
    """Fetch all and write all."""
    made: dict[str, bytes] = {}
    licences: list[str] = []
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            unpacked = _unpacked(package, Path(folder))
            made[package.target] = _picked(package, unpacked)
            licences.append(f"{package.name} {package.version}\n\n{(unpacked / 'LICENSE').read_text().strip()}\n")
    made[LICENCES] = f"\n{'-' * 80}\n\n".join(licences).encode()
    STATIC.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (STATIC / name).write_bytes(content)
    (STATIC / PAGE).write_text(page(made))
    print(f"{', '.join(made)} and {PAGE} are written.")


def page(made: Mapping[str, bytes]) -> str:
    """VENDORED.md: of each file, what it is made of and its digest."""
    rows = [
        f"| `{each.target}` | `{each.name}` {each.version} | `{each.source}` | {each.licence} "
        f"| `{hashlib.sha256(made[each.target]).hexdigest()}` |"
        for each in PACKAGES
    ]
    licences = f"`{hashlib.sha256(made[LICENCES]).hexdigest()}`"
    return "\n".join(
        [
            "# Files that others made",
            "",
            "`python -m scripts.vendor_console` writes them and this page; a test compares the digests.",
            "",
            "| file | npm package | made of | licence | SHA-256 |",
            "|---|---|---|---|---|",
            *rows,
            f"| `{LICENCES}` | all of these | `LICENSE` | | {licences} |",
            "",
            "They are as their makers have them, but for the reference of `bootstrap.min.css` to its source map, which is left",
            f"out, and for `icons.svg`: {len(ICONS)} outlines, each as a `<symbol>` under its own name.",
            "",
        ]
    )


def sprite(icons: Mapping[str, str]) -> str:
    """One SVG with a symbol for each icon, from the icons' own files.

    Raises: ValueError, where an icon is drawn in another way than outlines are.
    """
    symbols = [f'<symbol id="{name}" {_DRAWN}>{_outline(name, text)}</symbol>' for name, text in sorted(icons.items())]
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def _outline(name: str, text: str) -> str:
    drawn = ElementTree.fromstring(text)
    paths = [part for part in drawn if part.get("d") != _FRAME]
    plain = all(part.tag == f"{_SVG}path" and set(part.attrib) <= {"d", "fill"} for part in paths)
    if drawn.get("viewBox") != "0 0 24 24" or not paths or not plain:
        raise ValueError(f"{name} is no outline of 24 by 24")
    return "".join(f"<path{_attributes(part)}/>" for part in paths)


def _attributes(part: ElementTree.Element) -> str:
    return "".join(f' {name}="{value}"' for name, value in sorted(part.attrib.items()))


def _unpacked(package: Package, folder: Path) -> Path:
    """The package's folder.

    Raises: ValueError, where it is not the archive that is known.
    """
    asked = f"{package.name}@{package.version}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), "--json", asked]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        raise ValueError(f"{asked} is another archive than it was: {found}")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    about = json.loads((folder / "package" / "package.json").read_text())
    if about["version"] != package.version:
        raise ValueError(f"{asked} holds version {about['version']}")
    return folder / "package"


def _picked(package: Package, unpacked: Path) -> bytes:
    """The files that are wanted of a package."""
    source = unpacked / package.source
    if source.is_dir():
        return sprite({name: (source / f"{name}.svg").read_text() for name in ICONS}).encode()
    content = source.read_bytes()
    if source.suffix == ".woff2":
        if not content.startswith(b"wOF2"):
            raise ValueError(f"{package.source} is no WOFF2 font")
        return content
    # Nobody has the source map, and browsers would ask for it.
    return re.sub(rb"/[/*][#@] sourceMappingURL=\S+( \*/)?\s*$", b"", content)


if __name__ == "__main__":
    main()
