"""Copies of a plan's parts for a child: own ids, and the parent's kept beside."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.features.plans.records import Charge, ChargeFilter, FixedCharge, MinimumCommitment
from chalicelib.platform.ids import new_id


def charge_copy(charge: Charge) -> Charge:
    """A charge of the parent as one of a child."""
    own = {"id": new_id(), "parent_id": charge.id, "filters": filter_copies(charge.filters)}
    return charge.model_copy(update=own)


def filter_copies(filters: Sequence[ChargeFilter], before: Sequence[ChargeFilter] = ()) -> tuple[ChargeFilter, ...]:
    """Filters of the parent as those of a child; one that `before` has a copy of keeps the copy's id."""
    known = {f.parent_id: f.id for f in before if f.parent_id}
    return tuple(f.model_copy(update={"id": known.get(f.id) or new_id(), "parent_id": f.id}) for f in filters)


def fixed_charge_copy(charge: FixedCharge) -> FixedCharge:
    """A fixed charge of the parent as one of a child, with the history of its units."""
    return charge.model_copy(update={"id": new_id(), "parent_id": charge.id})


def commitment_copy(commitment: MinimumCommitment | None, *, now: datetime) -> MinimumCommitment | None:
    """The parent's minimum commitment as that of a child."""
    if commitment is None:
        return None
    return commitment.model_copy(update={"id": new_id(), "created_at": now, "updated_at": now})
