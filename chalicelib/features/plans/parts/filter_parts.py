"""The filters of a charge as parts of their own: each change of one is a change of the charge.

Source: rules/catalog 11.1.
"""

from typing import Any

from chalicelib.features.plans import serializer
from chalicelib.features.plans.parts import charge_filters
from chalicelib.features.plans.parts.charge_filters import FilterPatch
from chalicelib.features.plans.records import Charge
from chalicelib.platform import listing
from chalicelib.platform.ids import ChargeFilterId

ROOT, PLURAL = "filter", "filters"


def listed(charge: Charge, page: listing.Wanted) -> dict[str, Any]:
    """A page of a charge's filters, the newest first."""
    first = (page.number - 1) * page.size
    shown = [serializer.show_filter(charge, each) for each in charge.filters[::-1][first : first + page.size]]
    return {PLURAL: shown, "meta": listing.meta(page, len(charge.filters))}


def answer(charge: Charge, filter_id: ChargeFilterId) -> dict[str, Any]:
    """One filter under its root.

    Raises: NotFound.
    """
    return {ROOT: serializer.show_filter(charge, charge_filters.find(charge.filters, filter_id))}


def answer_after(charge: Charge, change: FilterPatch) -> dict[str, Any]:
    """Filter in the changed charge that a change was about: a new filter is the last. Empty for a removed one."""
    if change.fields is None:
        return {}
    return answer(charge, ChargeFilterId(change.id or charge.filters[-1].id))
