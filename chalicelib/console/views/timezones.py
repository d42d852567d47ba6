"""Time zones to choose from, for fields that propose them."""

from chalicelib.console import choices
from chalicelib.console.visit import Page, Visit


def show(visit: Visit) -> Page:
    """The options alone: a part of other pages."""
    return Page("parts/timezones.html", {"timezones": choices.timezones()})
