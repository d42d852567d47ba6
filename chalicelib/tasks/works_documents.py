"""Documents of many invoices as one file: those that are not there yet are printed first."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace

from chalicelib import limits
from chalicelib.features.documents import orders
from chalicelib.features.exports import service as exports
from chalicelib.features.invoices import reading
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.works import service
from chalicelib.features.works.records import Target, Work
from chalicelib.platform import agenda, clock, files
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId
from chalicelib.platform.unit import Unit


def collect(task: Task, work: Work, targets: Sequence[Target]) -> None:
    """Have what is missing printed, and come again until all is there; then put it into a file. What cannot be printed for
    `limits.WORK_PRINTING` is left out of it; the file says which."""
    organization = task.organization
    known = reading.get_many(organization.id, [InvoiceId(each.id) for each in targets])
    wanted = sorted(known.values(), key=lambda each: each.number)
    # Those before this place were there at an earlier look.
    place = int(task.detail.get("place", 0))
    missing = [each for each in wanted[place:] if not orders.ready(each.file_key)]
    if missing and clock.utc_now() < work.begun_at + limits.WORK_PRINTING:
        _order(organization, missing)
        place = wanted.index(missing[0])
        service.reached(organization.id, work.id, done=place, number=len(wanted))
        now = clock.utc_now()
        agenda.put(replace(task, detail={"place": place}), now=now).alone()
        agenda.push([agenda.wait(task, run_at=now + limits.WORK_LOOKS)])
        return
    name = exports.file_name(organization.id, work.id, kind="zip")
    files.put(name, _zipped(wanted, {each.id for each in missing}), "application/zip")
    service.reached(organization.id, work.id, done=len(wanted) - len(missing), number=len(wanted))
    Unit(service.ended(organization.id, work.id, name), agenda.done(task)).commit()


def _order(organization: OrganizationRef, missing: Sequence[Invoice]) -> None:
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


def _zipped(wanted: Sequence[Invoice], missing: set[InvoiceId]) -> bytes:
    """The file. PDFs are packed already."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as packed:
        for each in wanted:
            if each.id not in missing and each.file_key is not None:
                packed.writestr(f"{each.number.replace('/', '-')}.pdf", files.get(each.file_key))
        if missing:
            left_out = [each.number for each in wanted if each.id in missing]
            packed.writestr("missing.txt", "\n".join(["Not printed yet:", *left_out, ""]))
    return content.getvalue()
