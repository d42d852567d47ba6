"""Pages as HTML and as PDF: pure, without storage or network.

Nothing from outside is ever fetched while drawing: HTML may only show the image that it carries, and styles only the fonts
of this folder. WeasyPrint takes a second to import and needs native libraries, so only the functions that draw import it.
"""

import atexit
import base64
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib.features.documents import fit, letters
from chalicelib.features.documents.page import Page

_HERE = Path(__file__).parent
_FONTS = "font:"
_IMAGES = ("data:image/png;base64,", "data:image/jpeg;base64,")


class NoNetwork(Exception):
    """A document wanted something from outside; it may only use what it carries."""


def pdf(page: Page) -> bytes:
    """The document as a PDF file: on one page if it has room, else spread over several."""
    spread = page.spread
    if spread is None:
        return bytes(_laid_out(page).write_pdf())
    made = _laid_out(page) if fit.may_fit(page) else None
    if made is None or len(made.pages) > 1:
        made = _laid_out(spread)
    return bytes(made.write_pdf())


def _laid_out(page: Page) -> Any:
    import weasyprint

    text = html(page)
    styles, fonts = _styles(letters.scripts(text))
    return weasyprint.HTML(string=text, url_fetcher=_fetcher(_IMAGES)).render(stylesheets=[styles], font_config=fonts)


def html(page: Page) -> str:
    """The document as one HTML page, without its styles."""
    before, _, rest = page.page_of.partition("{page}")
    between, _, after = rest.partition("{pages}")
    return str(_template().render(page=page, logo=_data_url(page.logo), pages=(before, between, after)))


@lru_cache(maxsize=1)
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: letters.without_overrides(value) if isinstance(value, str) else value,
    )
    environment.globals.update(fit_table=fit.table, fit_sums=fit.sums, fit_lines=fit.lines_below)
    return environment.get_template("document.html.j2")


@lru_cache(maxsize=8)
def _styles(scripts: tuple[str, ...]) -> tuple[Any, Any]:
    """The styles, and the fonts of scripts: the same for all documents that need no others."""
    import weasyprint
    from weasyprint.text.fonts import FontConfiguration

    fonts = FontConfiguration()
    text = letters.css(scripts) + (_HERE / "templates" / "document.css").read_text()
    return weasyprint.CSS(string=text, url_fetcher=_fetcher((_FONTS,)), font_config=fonts), fonts


# They remove files when they go, which is too late at the end of a process.
atexit.register(_styles.cache_clear)


@lru_cache
def _fetcher(allowed: tuple[str, ...]) -> Any:
    """A fetcher of addresses that begin with one of `allowed`, and of nothing else."""
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class Fetcher(URLFetcher):  # type: ignore[misc]
        """Refuses whatever is not carried along."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            """The content of an address."""
            start = next((each for each in allowed if url.startswith(each)), None)
            if start is None:
                raise NoNetwork(url[:100])
            if start == _FONTS:
                return URLFetcherResponse(url, (_HERE / "fonts" / Path(url.removeprefix(_FONTS)).name).read_bytes())
            kind = start.removeprefix("data:").removesuffix(";base64,")
            return URLFetcherResponse(url, base64.b64decode(url.removeprefix(start)), {"Content-Type": kind})

    return Fetcher()


def _data_url(logo: bytes | None) -> str | None:
    if logo is None:
        return None
    start = _IMAGES[0] if logo.startswith(b"\x89PNG") else _IMAGES[1]
    return start + base64.b64encode(logo).decode()
