"""Lists: the API's page of a list with its filters, as the list template shows it. Order, totals and refusals are the API's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chalicelib.console.forms import Form
from chalicelib.console.visit import Visit
from chalicelib.domain.errors import Invalid

SIZES = (20, 50, 100)


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `names`: the API's parameters that it sets, for a range the lower and the upper one, for a pair its key and
    value; `options`: values with their labels, in a "select" many of them; `placeholder`: for texts."""

    label: str
    names: tuple[str, ...]
    kind: Literal["choices", "choice", "select", "days", "amounts", "pair", "text"] = "text"
    options: Sequence[tuple[str, str]] = ()
    placeholder: str = ""

    def given(self, visit: Visit) -> list[str]:
        """The values that are set, as texts."""
        values = [value for name in self.names for value in visit.query.get(name, []) if value != ""]
        labels = dict(self.options)
        return [labels.get(value, value) for value in values]


@dataclass(frozen=True, slots=True)
class Tab:
    """A quick filter. `query`: the parameters that it sets, some to several values; `count`: how many there are, where a
    counter knows."""

    label: str
    query: Mapping[str, str | tuple[str, ...]]
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list. `rows`: in the API's form; `is_asked`: whether a filter or search is set; `form`: what the
    API refuses of the query."""

    visit: Visit
    rows: list[dict[str, Any]]
    meta: Mapping[str, Any]
    filters: Sequence[Filter] = ()
    tabs: Sequence[Tab] = ()
    form: Form = field(default_factory=Form)

    @property
    def total(self) -> int:
        """Number of rows in all pages."""
        return int(self.meta["total_count"])

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1."""
        return (int(self.meta["current_page"]) - 1) * self.size + 1 if self.rows else 0

    @property
    def size(self) -> int:
        """Rows of a page."""
        return _size(self.visit)

    @property
    def is_asked(self) -> bool:
        """Whether something narrows the list."""
        return any(self.visit.query.one(name) for name in names_of(self.filters, self.tabs))

    def is_open(self, tab: Tab) -> bool:
        """Whether a tab is the one that is shown."""
        names = {name for each in self.tabs for name in each.query}
        asked = {name: set(filter(None, self.visit.query.get(name, []))) for name in names}
        wanted = {name: {value} if isinstance(value, str) else set(value) for name, value in tab.query.items()}
        return {name: values for name, values in asked.items() if values} == wanted

    def tab_address(self, tab: Tab) -> str:
        """Where a tab leads."""
        names = {name for each in self.tabs for name in each.query}
        return self.visit.same(**{**dict.fromkeys(names), **tab.query, "page": None})

    def without(self, filter_: Filter) -> str:
        """The same list without a filter."""
        return self.visit.same(**dict.fromkeys(filter_.names), page=None)

    def bare(self) -> str:
        """The same list without filters and search."""
        return self.visit.here

    def kept(self, *but: str) -> list[tuple[str, str]]:
        """The parameters that a form of this list repeats, all but some."""
        return [(n, v) for n, values in self.visit.query.items() if n not in (*but, "page") for v in values if v != ""]


def names_of(filters: Sequence[Filter], tabs: Sequence[Tab] = ()) -> set[str]:
    """The parameters that filters, tabs and the search of a list set."""
    by_filter = {name for each in filters for name in each.names}
    return by_filter | {name for tab in tabs for name in tab.query} | {"search_term"}


def asked(
    visit: Visit, filters: Sequence[Filter], tabs: Sequence[Tab] = (), names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a visit asks of a list, without the page. `names`: parameters that the API calls otherwise."""
    known = names_of(filters, tabs)
    return {(names or {}).get(name, name): list(values) for name, values in visit.query.items() if name in known}


def gather(
    visit: Visit,
    path: str,
    root: str,
    *,
    filters: Sequence[Filter] = (),
    tabs: Sequence[Tab] = (),
    fixed: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
    fetch: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
) -> Listed:
    """The page of a list that the visit's query asks for. `fixed`: further parameters of the API; `names`: those that the API
    calls otherwise; `fetch`: how to read it, where it is not simply the API's list at `path`."""
    query = asked(visit, filters, tabs, names) | {
        "page": visit.query.one("page") or None,
        "per_page": str(_size(visit)),
        **(fixed or {}),
    }
    form = Form()
    try:
        answer = visit.api.get(path, query) if fetch is None else fetch(query)
    except Invalid as error:
        for name, codes in error.details.items():
            for code in codes if isinstance(codes, list) else [codes]:
                form.mark(name, str(code))
        answer = {
            root: [],
            "meta": {"current_page": 1, "next_page": None, "prev_page": None, "total_count": 0, "total_pages": 0},
        }
    return Listed(visit, answer[root], answer["meta"], filters, tabs, form)


def _size(visit: Visit) -> int:
    asked = visit.query.one("per_page")
    return int(asked) if asked in map(str, SIZES) else SIZES[0]
