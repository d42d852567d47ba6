"""Home: first steps, and what asks for attention."""

from chalicelib.console.visit import Page, Visit


def show(visit: Visit) -> Page:
    """The first page of an organization."""
    return Page("home/show.html")
