"""The common pages of billable metrics, add-ons, coupons and taxes: each is listed, made, changed and deleted by its code.

Addresses name an object by its id, the API by its code: an object is found by its id first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.console import forms, lists
from chalicelib.console.format import as_minor
from chalicelib.console.forms import Form
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.money import CURRENCIES
from chalicelib.platform.collection import Catalog
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.listing import Wanted

# So many can be chosen from; of more, the newest.
CHOICES = 100
# Stands in a body for what the form has refused: the API refuses it as well, with whatever else is wrong.
NOTHING = "?"
# Longer numbers are beyond whatever the API takes.
_DIGITS_MOST = 30

Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource. `root` and `plural`: its names in the API; `body`: what a form holds, as the API takes it; `fill`: an
    object of the API, as a form shows it; `more`: what the form's page shows besides; `rows`: blank rows by their groups;
    `names`: the fields at which the API's refusals are shown, where they have other names."""

    root: str
    plural: str
    noun: str
    catalog: Catalog[Any]
    body: Callable[[Visit, Form, Any], dict[str, Any]]
    fill: Callable[[Visit, Mapping[str, Any]], Form]
    blank: Callable[[Visit], Mapping[str, str]]
    more: Callable[[Visit, Form, Any], Mapping[str, Any]] = lambda visit, form, record: {}
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: Callable[[Form], Mapping[str, str]] = lambda form: {}

    @property
    def said(self) -> str:
        """The noun at the beginning of a message."""
        return self.noun[0].upper() + self.noun[1:]


def index(visit: Visit, kind: Kind, **values: Any) -> Page:
    """All objects, newest first."""
    listed = lists.gather(visit, f"/{kind.plural}", kind.plural)
    return Page(f"{kind.plural}/index.html", {"listed": listed, **values})


def found(visit: Visit, kind: Kind) -> Any:
    """The live record that the address names.

    Raises: NotFound.
    """
    record = kind.catalog.get(visit.organization.id, visit.path["id"])
    if record is None or record.deleted_at is not None:
        raise NotFound(kind.root)
    return record


def shown(visit: Visit, kind: Kind, record: Any) -> dict[str, Any]:
    """A record as the API shows it."""
    answer: dict[str, Any] = visit.api.get(path_of(kind.plural, record.code))
    return dict(answer[kind.root])


def new(visit: Visit, kind: Kind) -> Page | Redirect:
    """The form of a new object; posted, the object. A second click finds what the first one made."""
    form = Form(values={name: [value] for name, value in kind.blank(visit).items()})
    if visit.method == "POST":
        form = forms.posted(visit)
        if not forms.asked_rows(visit, form, kind.rows):
            body = kind.body(visit, form, None)
            made = _send(kind, form, lambda: visit.api.post(f"/{kind.plural}", {kind.root: body}))
            made = made or _made_before(visit, kind, form, body)
            if made is not None:
                return Redirect(visit.link(kind.plural, made["lago_id"]), said=f"{kind.said} created")
    return _form_page(visit, kind, form, None)


def edit(visit: Visit, kind: Kind) -> Page | Redirect:
    """The form of an object; posted, its changes."""
    record = found(visit, kind)
    form = kind.fill(visit, shown(visit, kind, record)) if visit.method == "GET" else forms.posted(visit)
    if visit.method == "POST" and not forms.asked_rows(visit, form, kind.rows):
        body = kind.body(visit, form, record)
        path = path_of(kind.plural, record.code)
        if _send(kind, form, lambda: visit.api.put(path, {kind.root: body})) is not None:
            return Redirect(visit.link(kind.plural, record.id), said=f"{kind.said} saved")
    return _form_page(visit, kind, form, record)


def delete(visit: Visit, kind: Kind, more: Callable[[Any], Mapping[str, Any]]) -> Page | Redirect:
    """The page that names a deletion's consequences; posted, the deletion. `more`: further texts of the page."""
    done = Redirect(visit.link(kind.plural), said=f"{kind.said} deleted")
    record = kind.catalog.get(visit.organization.id, visit.path["id"])
    if visit.method == "POST" and record is not None and record.deleted_at is not None:
        return done  # A second click.
    record, form = found(visit, kind), Form()
    if visit.method == "POST":
        path = path_of(kind.plural, record.code)
        if forms.submit(form, lambda: visit.api.delete(path)) is not None:
            return done
    return Page(f"{kind.plural}/delete.html", {"form": form, "record": record, **more(record)}, form.status)


def cents(form: Form, name: str, currency: str) -> int | str | None:
    """Minor units of an amount field, as the API takes them; where it holds no amount the form refuses it."""
    text = form.value(name)
    if not text.strip():
        return None
    found = as_minor(text, currency)
    if found is None:
        form.mark(name, ErrorCode.INVALID_AMOUNT)
        return NOTHING
    return found


def whole(form: Form, name: str) -> int | str | None:
    """The whole number that a field holds; whatever else is there is left to the API to refuse."""
    text = form.value(name).strip()
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < _DIGITS_MOST else text or None


def currencies() -> Options:
    """All currencies, to choose one."""
    return [(each, each) for each in sorted(CURRENCIES)]


def choices(visit: Visit, catalog: Catalog[Any]) -> list[Any]:
    """The newest objects of a catalog, to choose some."""
    found, _ = catalog.page(visit.organization.id, Wanted(1, CHOICES))
    return list(found)


def options(visit: Visit, catalog: Catalog[Any], chosen: Sequence[str] = ()) -> Options:
    """The codes and names of what can be chosen from; what is chosen is among it, however old."""
    named = [(str(catalog.code(each)), str(each.name)) for each in choices(visit, catalog)]
    known = {code for code, _ in named}
    return [*named, *((code, code) for code in chosen if code and code not in known)]


def unless_moving(visit: Visit) -> None:
    """Refuse a change that does not go through the API while the organization's clock moves, as the API would.

    Raises: Conflict.
    """
    if visit.clock is not None and visit.clock.advancing:
        raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING)


def _form_page(visit: Visit, kind: Kind, form: Form, record: Any) -> Page:
    values = {"form": form, "record": record, **kind.more(visit, form, record)}
    return Page(f"{kind.plural}/form.html", values, form.status, form.headers)


def _send(kind: Kind, form: Form, act: Callable[[], Any]) -> dict[str, Any] | None:
    """The object that the API made; None where it refuses. Refusals of the form itself keep their own words."""
    own = {name: list(refusals) for name, refusals in form.errors.items()}
    answer = forms.submit(form, act, names=kind.names(form))
    if own:
        form.errors |= own
        form.status = 422
        return None
    return None if answer is None else dict(answer[kind.root])


def _made_before(visit: Visit, kind: Kind, form: Form, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object that has this code already, where it is the very one that the form describes."""
    if [each.code for refusals in form.errors.values() for each in refusals] != [ErrorCode.VALUE_ALREADY_EXIST]:
        return None
    try:
        other = dict(visit.api.get(path_of(kind.plural, str(body["code"])))[kind.root])
    except NotFound:  # It was deleted just now.
        return None
    wanted, there = forms.flat(body), forms.flat(other)
    same = all(_alike(texts, there[name]) for name, texts in wanted.items() if name in there)
    return other if same else None


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    if one == other:
        return True
    try:
        return [Decimal(text) for text in one] == [Decimal(text) for text in other]
    except InvalidOperation:
        return False
