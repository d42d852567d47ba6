"""Acts that the API has no route for: a use case of a service, carried out as the API carries out its own; and long ones,
which are carried out in the background."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from chalicelib.console import forms
from chalicelib.console.visit import Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Conflict
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.works import service as works
from chalicelib.features.works.records import Act, Work
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import derived_id
from chalicelib.platform.json import to_json

T = TypeVar("T")


def carry_out(visit: Visit, act: Callable[[], tuple[T, Sequence[Task]]]) -> T:
    """The result of an act. Its tasks are pushed; in a sandbox what is due by now runs before the next page.

    Raises: Conflict, while the organization's clock moves; whatever `act` raises.
    """
    if visit.api.advancing:
        raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING)
    result, tasks = act()
    test_clock.run_due(visit.organization.ref, now=visit.now, tasks=tasks)
    return result


def begin(
    visit: Visit,
    act: Act,
    title: str,
    place: str,
    *,
    number: int,
    query: Mapping[str, Sequence[str]] | None = None,
    ids: Sequence[str] = (),
) -> Redirect:
    """Begin a long act, and lead to its page. A second click of the same form leads to the same work."""
    work_id = _work_id(visit, act, place, query or {}, ids)
    work = Work(id=work_id, act=act, title=title, place=place, query=query or {}, ids=ids, begun_at=visit.real_now)
    agenda.push(works.begin(visit.organization.ref, work, number=number, real_now=visit.real_now))
    return Redirect(visit.link("work", work_id))


def begun(visit: Visit, act: Act, place: str, query: Mapping[str, Sequence[str]]) -> Redirect | None:
    """Where an earlier click of the same form led; None where this is the first. A work may have left nothing to do."""
    work_id = _work_id(visit, act, place, query, ())
    known = works.find(visit.organization.id, work_id) is not None
    return Redirect(visit.link("work", work_id)) if known else None


def _work_id(visit: Visit, act: Act, place: str, query: Mapping[str, Sequence[str]], ids: Sequence[str]) -> str:
    of = to_json({"act": act, "place": place, "query": query, "ids": list(ids)})
    return derived_id("work", visit.organization.id, forms.request_id(visit) or visit.request_id, of)
