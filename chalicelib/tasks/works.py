"""Long acts of members: the objects of a work are chosen, then acted on one after the other, each as the API's route does
it; or the pages of a list become a file.

A work is carried out in slices. Whatever was done is counted in the transaction of the act itself where the act could be
repeated, so that a slice that dies is taken up where it ended.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BillingError, ChangedMeanwhile, Invalid
from chalicelib.features.exports import service as exports
from chalicelib.features.invoices import listings, reading
from chalicelib.features.invoicing import finalize as finalizing
from chalicelib.features.payments.collection import again as collecting
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.works import service
from chalicelib.features.works.records import Progress, Target, Work
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.agenda.walk import RUN_SECONDS, walk
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.http import Client
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit
from chalicelib.tasks import works_documents


class _ClockMoves(Exception):
    """Nothing can be changed until the organization's clock has arrived."""


@runner.handles(service.WORK)
def carry_on(task: Task, now: datetime) -> None:
    """Carry a work on, to its end or for a slice of time."""
    found = service.find(task.organization.id, task.subject)
    if found is None or found.has_ended:
        agenda.done(task).alone()
        return
    try:
        if found.work.act == "export":
            _export(task, found, now=now)
        elif not _chosen(task, found, now=now):
            return
        elif found.work.act == "pdf":
            works_documents.collect(task, found.work, list(service.left(task.organization.id, found.work.id)))
        else:
            targets = ((each.id, each) for each in service.left(task.organization.id, found.work.id))
            if walk(task, targets, lambda target: _act(task.organization, found.work, target), now=now):
                Unit(service.ended(task.organization.id, found.work.id), agenda.done(task)).commit()
    except _ClockMoves:
        agenda.push([agenda.wait(task, run_at=clock.utc_now() + limits.WORK_WAITS)])


def _chosen(task: Task, found: Progress, *, now: datetime) -> bool:
    """Choose the objects of a work; whether all are chosen. They are all known before the first one changes, as a change
    may take it out of the list."""
    organization_id, work = task.organization.id, found.work
    end = time.monotonic() + RUN_SECONDS
    number, page = 0 if found.page == 1 else found.number, found.page
    while page is not None:
        targets, following = _page(task.organization, work, page)
        number += len(targets)
        service.choose(organization_id, replace(found, page=page), targets, number=number, page=following)
        page = following
        if page is not None and time.monotonic() > end:
            _go_on(task, now=now)
            return False
    return True


def _page(organization: OrganizationRef, work: Work, page: int) -> tuple[list[Target], int | None]:
    """The objects of a page, and the next page; those that were picked make pages as well."""
    size = service.CHOSEN_AT_ONCE
    if work.ids:
        ids = [InvoiceId(each) for each in work.ids[(page - 1) * size : page * size]]
        known = reading.get_many(organization.id, ids)
        following = page + 1 if page * size < len(work.ids) else None
        return [Target(id=each, name=known[each].number) for each in ids if each in known], following
    query = {**work.query, "page": str(page), "per_page": str(size)}
    found, meta = listings.page(_api(organization).asking(query))
    return [Target(id=each.id, name=each.number) for each in found], meta["next_page"]


def _act(organization: OrganizationRef, work: Work, target: Target) -> None:
    """Act on one object, once; a refusal is its outcome, and stops nothing."""

    def attempt() -> None:
        state = clock.read(organization)
        if state.advancing:
            raise _ClockMoves
        if not service.is_left(organization.id, work.id, target):
            return
        try:
            tasks = _ACTS[work.act](organization, work, target, state.now or clock.utc_now())
        except ChangedMeanwhile:
            raise
        except BillingError as error:
            Unit(service.done(organization.id, work, target, _code(error))).commit()
            return
        test_clock.run_due(organization, now=state.now or clock.utc_now(), tasks=tasks)

    retrying(attempt, Resource.INVOICE)


def _retry_payment(organization: OrganizationRef, work: Work, target: Target, now: datetime) -> list[Task]:
    done = service.done(organization.id, work, target)
    return collecting.retry_payment(organization, InvoiceId(target.id), now=now, done=done)


def _finalize(organization: OrganizationRef, work: Work, target: Target, now: datetime) -> list[Task]:
    """Make a draft final. One that is final by now needs nothing: a slice that died may have done it."""
    invoice = reading.get(organization.id, InvoiceId(target.id))
    is_final = invoice is not None and invoice.status == "finalized"
    tasks = [] if is_final else finalizing.finalize_asked(organization, InvoiceId(target.id), now=now)
    Unit(service.done(organization.id, work, target)).commit()
    return tasks


_ACTS: Mapping[str, Callable[[OrganizationRef, Work, Target, datetime], list[Task]]] = {
    "retry_payment": _retry_payment,
    "finalize": _finalize,
}


def _code(error: BillingError) -> str:
    """The first code of a refusal."""
    details = list(error.details.values()) if isinstance(error, Invalid) else []
    first = details[0] if details else error.code
    return str(first[0]) if isinstance(first, list | tuple) and first else str(first)


def _export(task: Task, found: Progress, *, now: datetime) -> None:
    """Write the file of a list, page after page; what a slice has written is kept as a part of it."""
    organization, work = task.organization, found.work
    end = time.monotonic() + RUN_SECONDS
    page, parts, done = (int(task.detail.get(name, first)) for name, first in (("page", 1), ("parts", 0), ("rows", 0)))
    text = [exports.head(work.place)] if page == 1 else []
    while True:
        piece = exports.piece(_api(organization), work.place, work.query, page)
        text.append(piece.text)
        done += piece.rows
        service.reached(organization.id, work.id, done=done, number=max(done, piece.total))
        if piece.next_page is None or done >= limits.EXPORT_ROWS_MAX:
            break
        page = piece.next_page
        if time.monotonic() > end:
            exports.keep(exports.file_name(organization.id, work.id, parts), "".join(text))
            _go_on(replace(task, detail={"page": page, "parts": parts + 1, "rows": done}), now=now)
            return
    name = exports.file_name(organization.id, work.id)
    before = [exports.kept(exports.file_name(organization.id, work.id, part)) for part in range(parts)]
    exports.keep(name, "".join([*before, *text]))
    Unit(service.ended(organization.id, work.id, name), agenda.done(task)).commit()


def _api(organization: OrganizationRef) -> Client:
    return Client(organization, clock.now(organization), advancing=False)


def _go_on(task: Task, *, now: datetime) -> None:
    """Let the next slice begin."""
    agenda.put(task, now=now).alone()
    agenda.push([task])
