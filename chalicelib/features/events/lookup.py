"""Reading single events back."""

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.events import schemas, service
from chalicelib.features.metering import erase, reading
from chalicelib.features.metering.event import event_id
from chalicelib.features.subscriptions import reading as subscription_reading
from chalicelib.features.subscriptions.records import Live
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import OrganizationId
from chalicelib.platform.timestamps import unstamp
from chalicelib.platform.values import Item


def find(organization: OrganizationRef, transaction_id: str, external_subscription_id: str | None = None) -> Item:
    """The stored event of a transaction id (the first received, where several subscriptions share it).

    Raises: NotFound.
    """
    service.wait_for_events(organization)
    found = reading.by_transaction(organization.id, transaction_id)
    if external_subscription_id is not None:
        found = [item for item in found if item["subscription"] == external_subscription_id]
    found = [item for item in found if not erase.is_erased(item)]
    if not found:
        raise NotFound(Resource.EVENT)
    return min(found, key=reading.reception_of)


def owners(organization_id: OrganizationId, items: Sequence[Item]) -> dict[str, Live | None]:
    """The live subscription of each external id that stored events name; None where there is none."""
    external_ids = dict.fromkeys(item["subscription"] for item in items)
    return {each: subscription_reading.find_live(organization_id, each) for each in external_ids}


def show_items(organization_id: OrganizationId, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Stored events as the API shows them, each with the live subscription of its external id."""
    known = owners(organization_id, items)
    shown = []
    for item in items:
        owner = known[item["subscription"]]
        shown.append(
            schemas.show(
                reading.read(item),
                lago_id=event_id(organization_id, reading.read(item)),
                created_at=unstamp(item["received"]),
                customer_id=owner.customer_id if owner else None,
                subscription_id=owner.subscription_id if owner else None,
            )
        )
    return shown
