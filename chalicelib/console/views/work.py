"""A long work: how far it is, what failed, and the file that it made."""

from datetime import timedelta

from chalicelib.console import pages
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.features.works import service
from chalicelib.platform import files

# So long the page asks every two seconds, then every ten.
_EAGER = timedelta(minutes=1)


def show(visit: Visit) -> Page:
    """The progress of a work."""
    found = service.find(visit.organization.ref.id, visit.path["id"])
    if found is None:
        return pages.not_found(visit)
    interval = "2s" if visit.real_now - found.work.begun_at < _EAGER else "10s"
    return Page("work/show.html", {"progress": found, "interval": interval})


def file(visit: Visit) -> Page | Redirect:
    """Lead to the file of a work that has ended."""
    found = service.find(visit.organization.ref.id, visit.path["id"])
    if found is None or found.file is None:
        return pages.not_found(visit)
    kind = found.file.rpartition(".")[2]
    return Redirect(files.link(found.file, f"{found.work.place}.{kind}", "attachment"))
