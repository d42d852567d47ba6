"""Building a plan's minimum commitment from a request. Source: rules/billing-periods 12."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.features.plans.parts import building
from chalicelib.features.plans.records import MinimumCommitment
from chalicelib.features.plans.schemas import CommitmentInput
from chalicelib.platform import schema
from chalicelib.platform.ids import OrganizationId, new_id


def build(
    organization_id: OrganizationId, raw: Mapping[str, Any] | None, *, before: MinimumCommitment | None, now: datetime
) -> tuple[MinimumCommitment | None, dict[str, list[str]]]:
    """The commitment that a request describes (None: there is none), and what is wrong with it. What it does not name
    stays as `before`.

    Raises: NotFound for an unknown tax.
    """
    if not raw:
        return None, {}
    kept = {} if before is None else before.model_dump(include={"amount_cents", "invoice_display_name"})
    request, wrong = schema.examine(CommitmentInput, kept | dict(raw))
    if request is None:
        return None, wrong
    if not request.amount_cents:
        return None, {}
    values = {
        "amount_cents": request.amount_cents,
        "invoice_display_name": request.invoice_display_name,
        "tax_ids": building.tax_ids(organization_id, request, before),
    }
    if before is None:
        return MinimumCommitment(id=new_id(), created_at=now, updated_at=now, **values), {}
    changed = before.model_copy(update=values)
    return before if changed == before else changed.model_copy(update={"updated_at": now}), {}
