"""Lists of objects that customers own: of all customers, or of the one that a call names."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from chalicelib.features.customers import service
from chalicelib.platform import counters, listing
from chalicelib.platform.http import Call
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.listing import Listing
from chalicelib.platform.rows import Row

RowT = TypeVar("RowT", bound=Row)

# Stands for a customer that a call names and that does not exist: its lists are empty.
NOBODY = CustomerId("nobody")


def owner_of(call: Call, *parameters: str) -> CustomerId | None:
    """The customer that the first of these parameters with a value names by its external id; None where none has one."""
    external_id = next((value for name in parameters if (value := call.one(name)) is not None), None)
    if external_id is None:
        return None
    customer = service.find_live(call.organization.id, external_id)
    return NOBODY if customer is None else customer.id


def page(
    call: Call,
    whole: Listing[RowT],
    owner_id: CustomerId | None,
    owner_pk: Callable[[OrganizationId, CustomerId], str],
    *,
    counted: str | None = None,
) -> tuple[list[RowT], dict[str, int | None]]:
    """One page of the rows of a list, of one owner where one is given. `whole`: the list of all owners, with its filters;
    `counted`: the counter that knows its total while nothing filters it."""
    wanted = listing.wanted(call)
    if owner_id == NOBODY:
        return [], listing.meta(wanted, 0)
    if owner_id is not None:
        own = replace(whole, pk=owner_pk(whole.organization_id, owner_id), index="owner", parts=1)
        return listing.read(own, wanted)
    if counted is not None and not whole.is_filtered and whole.between is None:
        whole = replace(whole, total=lambda: counters.total(whole.organization_id, counted))
    return listing.read(whole, wanted)
