"""External ids that another customer had before: whoever takes one starts from nothing. Source: rules/usage 1.4."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from chalicelib.features.subscriptions import store
from chalicelib.features.subscriptions.records import Status, Subscription, Takeover
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.timestamps import stamp

_OVER = (Status.TERMINATED, Status.CANCELED)


def find(
    organization_id: OrganizationId,
    customer_id: CustomerId,
    external_id: str,
    own: Sequence[Subscription],
    *,
    real_now: datetime,
) -> Takeover | None:
    """Takeover of a free external id by a customer; None where no other customer ever used it. `own`: the customer's
    earlier subscriptions under it."""
    ends = [each.terminated_at for each in _of_others(organization_id, customer_id, external_id)]
    ended_at = max((at for at in ends if at is not None), default=None)
    if ended_at is None:
        return None
    second = ended_at.replace(microsecond=0)
    # The stream that the customer has had since then goes on.
    known = (each.takeover for each in own if each.takeover is not None and each.takeover.ended_at == second)
    return next(known, None) or Takeover(ended_at=second, taken_at=stamp(real_now))


def _of_others(organization_id: OrganizationId, customer_id: CustomerId, external_id: str) -> Iterable[Subscription]:
    """Subscriptions of other customers as they stand now: the index that lists them lags."""
    for each in store.history(organization_id, external_id):
        if each.customer_id != customer_id:
            is_settled = each.status in _OVER
            current = each if is_settled else store.get(organization_id, each.customer_id, each.id)
            if current is not None and current.started_at is not None:
                yield current
