"""Documents of many invoices as one file: those that are not there yet are printed first, page of the list after page."""

import io
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from chalicelib import limits
from chalicelib.features.documents import orders
from chalicelib.features.exports import service as exports
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.works import service
from chalicelib.features.works.records import Progress, Target, Work
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import Task
from chalicelib.platform.agenda.walk import RUN_SECONDS
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.unit import Unit

Page = Callable[[OrganizationRef, Work, int], tuple[list[Target], int | None]]


def collect(task: Task, found: Progress, page_of: Page, *, now: datetime) -> None:
    """Carry it on: print what is missing, for a slice of time or until it is there; then put all into a file. What cannot be
    printed for `limits.WORK_PRINTING` is left out of it; the file says which."""
    organization, work = task.organization, found.work
    end = time.monotonic() + RUN_SECONDS
    page: int | None = int(task.detail.get("page", 1))
    done = int(task.detail.get("rows", 0))
    patience = work.begun_at + limits.WORK_PRINTING
    while page is not None:
        targets, following = page_of(organization, work, page)
        missing = [each for each in _invoices(organization, targets) if not orders.ready(each.file_key)]
        if missing and clock.utc_now() < patience:
            _order(organization, missing)
            _later(replace(task, detail={"page": page, "rows": done}))
            return
        done += len(targets) - len(missing)
        service.reached(organization.id, work.id, done=done, number=max(done, found.number))
        page = following
        if page is not None and time.monotonic() > end:
            agenda.put(replace(task, detail={"page": page, "rows": done}), now=now).alone()
            agenda.push([task])
            return
    name = exports.file_name(organization.id, work.id, kind="zip")
    files.put(name, _zipped(organization, work, page_of), "application/zip")
    Unit(service.ended(organization.id, work.id, name), agenda.done(task)).commit()


def _invoices(organization: OrganizationRef, targets: list[Target]) -> list[Invoice]:
    known = reading.get_many(organization.id, [InvoiceId(each.id) for each in targets])
    return [each for each in known.values() if each.status in ("finalized", "voided")]


def _order(organization: OrganizationRef, missing: list[Invoice]) -> None:
    """Have documents printed; those that were ordered before are waiting."""
    now = clock.utc_now()
    wanted = []
    for each in missing:
        detail = {orders.AGAIN: True} if each.file_key is not None else None
        order = agenda.task(invoices.PRINT, organization, each.id, now, detail)
        if agenda.find(order.key) is None:
            agenda.put(order, now=now).alone()
            wanted.append(order)
    agenda.push(wanted)


def _later(task: Task) -> None:
    agenda.put(task, now=clock.utc_now()).alone()
    agenda.push([agenda.wait(task, run_at=clock.utc_now() + limits.WORK_LOOKS)])


def _zipped(organization: OrganizationRef, work: Work, page_of: Page) -> bytes:
    """The file. PDFs are packed already."""
    content, missing = io.BytesIO(), []
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as packed:
        for each in _all(organization, work, page_of):
            if each.file_key is not None and orders.ready(each.file_key):
                packed.writestr(f"{each.number}.pdf", files.get(each.file_key))
            else:
                missing.append(each.number)
        if missing:
            packed.writestr("missing.txt", "\n".join(["Not printed yet:", *missing, ""]))
    return content.getvalue()


def _all(organization: OrganizationRef, work: Work, page_of: Page) -> Iterator[Invoice]:
    page: int | None = 1
    while page is not None:
        targets, page = page_of(organization, work, page)
        yield from _invoices(organization, targets)
