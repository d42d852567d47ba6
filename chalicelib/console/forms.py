"""Forms: what fields hold becomes the body that the API takes; what the API refuses is shown at the fields.

Names of fields are paths into the body: `billing_configuration.document_locale`, `charges.0.properties.amount`. A form is
drawn from its `Form`, whether it is new, shows an object, was refused, or had a row added.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from chalicelib.console import texts
from chalicelib.console.texts import Refusal
from chalicelib.console.visit import Values, Visit
from chalicelib.domain import errors
from chalicelib.platform.http import answers

T = TypeVar("T")

# Fields of a form beside the body.
_OURS = {"csrf", "request_id", "_do"}


@dataclass
class Form:
    """The state of a form. `values`: texts by the names of fields; `errors`: refusals by names, "" for the whole form.

    `status`: of the answer that shows it. The macros of `forms.html` note the fields that they drew, so that what was refused
    and has no field is told above them all.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[Refusal]] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)

    def value(self, name: str) -> str:
        """The text of a field."""
        values = self.values.get(name)
        return values[-1] if values else ""

    def all(self, name: str) -> list[str]:
        """All texts of a field that holds several."""
        return self.values.get(name, [])

    def is_on(self, name: str) -> bool:
        """Whether a tick box is ticked."""
        return self.value(name) in ("true", "on", "1")

    def rows(self, group: str) -> list[int]:
        """The numbers of a group's rows that are there, ascending."""
        start = f"{group}."
        found = {name[len(start) :].partition(".")[0] for name in self.values if name.startswith(start)}
        return sorted(int(each) for each in found if each.isdecimal())

    def errors_of(self, name: str) -> list[Refusal]:
        """The refusals to show at a field, by its whole name or, where the API only knows that, its last part."""
        self.drawn.add(name)
        if name in self.errors:
            return self.errors[name]
        last = name.rpartition(".")[2]
        if last not in self.errors or "." not in name:
            return []
        self.drawn.add(last)
        return self.errors[last]

    def rest(self) -> list[Refusal]:
        """The refusals that no drawn field has shown."""
        return [each for name, found in self.errors.items() if name not in self.drawn for each in found]

    def mark(self, name: str, code: str) -> None:
        """Add a refusal."""
        self.errors.setdefault(name, []).append(texts.refusal(code, name))
        self.status = 422


def filled(values: Mapping[str, Any]) -> Form:
    """A form that shows an object of the API: nested values get their paths as names."""
    return Form(values=flat(values))


def flat(values: Any, name: str = "") -> dict[str, list[str]]:
    """Texts of all values, by path. Lists of plain values are several texts of one name."""
    if isinstance(values, Mapping):
        found: dict[str, list[str]] = {}
        for key, value in values.items():
            found |= flat(value, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(values, list | tuple):
        if any(isinstance(each, Mapping | list) for each in values):
            return flat(dict(enumerate(values)), name)
        return {name: [_text(each) for each in values]}
    return {name: [_text(values)]}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def posted(visit: Visit) -> Form:
    """The form as it was posted."""
    return Form(values={name: list(values) for name, values in visit.form.items() if name not in _OURS})


def nested(values: Mapping[str, list[str]], *, several: tuple[str, ...] = ()) -> dict[str, Any]:
    """Texts by path as nested objects; numbers in paths make lists. `several`: last parts of names that hold lists of texts."""
    root: dict[str, Any] = {}
    for name, texts_ in values.items():
        *path, last = name.split(".")
        place: Any = root
        for part in path:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict) or isinstance(place.get(last), dict):
            continue  # No form of ours says a text and parts of it under one name.
        place[last] = [each for each in texts_ if each != ""] if last in several else texts_[-1]
    found = _lists(root)
    assert isinstance(found, dict)
    return found


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(each) for key, each in value.items()}


def asked_rows(visit: Visit, form: Form, blanks: Mapping[str, Mapping[str, str]]) -> bool:
    """Add or remove a row, where the button that was pressed says so (`_do=add:charges`, `_do=remove:charges.2`); whether it
    did. `blanks`: the fields of a new row, by the group's name without its numbers (`charges.*.filters`)."""
    verb, _, place = visit.form.one("_do").partition(":")
    if verb == "add":
        blank = blanks.get(re.sub(r"\.\d+(?=\.|$)", ".*", place))
        if blank is None:
            return False
        number = max(form.rows(place), default=-1) + 1
        form.values |= {f"{place}.{number}.{name}": [value] for name, value in blank.items()}
        form.values.setdefault(f"{place}.{number}._", [""])
        return True
    if verb == "remove":
        start = f"{place}."
        form.values = {name: value for name, value in form.values.items() if not name.startswith(start)}
        return True
    return verb == "draw"


def submit(form: Form, act: Callable[[], T], *, names: Mapping[str, str] | None = None) -> T | None:
    """The result of an act; None where the API refuses it: then the form has the refusals. `names`: fields of other names
    than those of the API.

    Raises: NotFound of the object itself, and whatever is no refusal.
    """
    try:
        return act()
    except errors.Invalid as error:
        for name, codes in error.details.items():
            _note(form, (names or {}).get(name, name), codes)
    except errors.BillingError as error:
        form.errors.setdefault("", []).append(texts.refusal(error.code))
        form.status = answers.refusal(error).status_code
        form.headers = {"Retry-After": str(error.retry_after)} if isinstance(error, errors.TooManyAttempts) else {}
        return None
    form.status = 422
    return None


def _note(form: Form, name: str, codes: object) -> None:
    """Refusals of a field, or of the fields of an object or list."""
    path = re.sub(r"\[(\d+)\]", r".\1", name)
    if isinstance(codes, Mapping):
        for key, inner in codes.items():
            _note(form, f"{path}.{key}", inner)
        return
    for code in codes if isinstance(codes, list | tuple) else [codes]:
        key = "" if path == "base" else path
        form.errors.setdefault(key, []).append(texts.refusal(str(code), key))


def blank_to_none(body: dict[str, Any]) -> dict[str, Any]:
    """The body with null for each empty text."""
    return {name: None if value == "" else value for name, value in body.items()}


def request_id(visit: Visit) -> str:
    """The random mark of a form, which a second click sends again."""
    return visit.form.one("request_id")


__all__ = [
    "Form",
    "Values",
    "asked_rows",
    "blank_to_none",
    "filled",
    "flat",
    "nested",
    "posted",
    "request_id",
    "submit",
]
