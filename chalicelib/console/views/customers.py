"""Customers: the list, and one customer with its tabs."""

from chalicelib.console import lists
from chalicelib.console.lists import Filter
from chalicelib.console.visit import Page, Visit
from chalicelib.domain.money import CURRENCIES

_FILTERS = (Filter("Currency", ("currencies",), "choices", [(each, each) for each in sorted(CURRENCIES)]),)


def index(visit: Visit) -> Page:
    """All customers, newest first."""
    return Page("customers/index.html", {"listed": lists.gather(visit, "/customers", "customers", filters=_FILTERS)})
