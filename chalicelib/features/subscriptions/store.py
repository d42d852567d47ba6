"""Storage of subscriptions, in their customer's item collection, so that billing reads them all at once.

Items
    pk                                      sk          what it is
    <org>#customer#<id>                     sub#<id>    the subscription
        index list:  <org>#subscription                 <created_at>#<id>   all of the organization
        index owner: <org>#subscription-ext#<external>  <created_at>#<id>   all that ever had this external id
    <org>#subscription-guard#<external>     -           uniqueness item: one live chain per external id

Access patterns
    1 find_live(org, external)          GetItem   consistent: customer and id of the live subscription
    2 get(org, customer, id)            GetItem   consistent
    3 history(org, external)            Query     index owner: ended ones too, newest first
    4 write_subscriptions               part of a decision's transaction
    5 take_action, hand_over_action, release_action   the same
    6 external_ids(org)                 Query     index list: for exports only
    7 get_many(org, customer, ids)      BatchGet  consistent
    8 among(items)                      -         what customers.store.everything_of read
    9 listings.page(call)               Query     index list or owner, or under the customer's key
   10 find_anywhere(org, id)            Query     index list: all of it
   11 keys_of(org, customer, ids)       -         for who reads several kinds of items in one BatchGet
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pynamodb.attributes import UnicodeAttribute

from chalicelib.features.customers import figures
from chalicelib.features.customers.items import CustomerItem, CustomerItems, customer_pk
from chalicelib.features.plans import subscribers
from chalicelib.features.subscriptions.records import Live, Status, Subscription
from chalicelib.platform import counters, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, OrganizationId, PlanId, SubscriptionId, key
from chalicelib.platform.rows import Listed, Owned, Row, Searched
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


class SubscriptionRow(RecordRow, CustomerItem, Listed, Owned, Searched):
    """A subscription, under its customer's key."""

    begins = "sub#"
    record = RecordAttribute(Subscription)


class LiveRow(Row):
    """The uniqueness item of an external id."""

    customer_id = UnicodeAttribute()
    subscription_id = UnicodeAttribute()


def external_pk(organization_id: OrganizationId, external_id: str) -> str:
    """The key of the index owner under which all stand that ever had an external id."""
    return key(organization_id, "subscription-ext", external_id)


def find_live(organization_id: OrganizationId, external_id: str) -> Live | None:
    """The live subscription with this external id."""
    found = LiveRow.find(*_live_key(organization_id, external_id))
    return None if found is None else Live(CustomerId(found.customer_id), SubscriptionId(found.subscription_id))


def get(
    organization_id: OrganizationId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Subscription | None:
    """The subscription, read consistently."""
    found = SubscriptionRow.find(customer_pk(organization_id, customer_id), f"sub#{subscription_id}")
    return None if found is None else found.value


def among(items: CustomerItems) -> list[Subscription]:
    """The subscriptions among a customer's items, by id."""
    return [row.value for row in items.of(SubscriptionRow)]


def get_many(
    organization_id: OrganizationId, customer_id: CustomerId, ids: Sequence[SubscriptionId]
) -> list[Subscription]:
    """Existing subscriptions of a customer, in the order of `ids`, read consistently in one request."""
    keys = keys_of(organization_id, customer_id, ids)
    found = SubscriptionRow.find_many(keys)
    return [found[place].value for place in keys if place in found]


def history(organization_id: OrganizationId, external_id: str) -> list[Subscription]:
    """All subscriptions that have or had this external id, newest first."""
    found = SubscriptionRow.select(external_pk(organization_id, external_id), index="owner", descending=True)
    return sorted((row.value for row in found), key=lambda s: (s.created_at, s.id), reverse=True)


def find_anywhere(organization_id: OrganizationId, subscription_id: SubscriptionId) -> Subscription | None:
    """The subscription under an id, whoever has it; reads the organization's list, so only for who knows no customer."""
    where = rows.field("id") == subscription_id
    found = SubscriptionRow.select(key(organization_id, "subscription"), index="list", where=where)
    return next((row.value for row in found), None)


def external_ids(organization_id: OrganizationId) -> set[str]:
    """All external ids that subscriptions have or had."""
    found = SubscriptionRow.select(key(organization_id, "subscription"), index="list")
    return {row.record.external_id for row in found}


def write_subscriptions(
    organization_id: OrganizationId,
    *,
    created: Sequence[Subscription] = (),
    replaced: Sequence[tuple[Subscription, Subscription]] = (),
) -> list[Write]:
    """Create and replace subscriptions; replacements are under their optimistic locks.

    All of one transaction go together: their totals move in one row, which no transaction may touch twice.
    """
    writes = [_row(organization_id, each).create() for each in created]
    changes = Counter(f"status={each.status}" for each in created)
    for old, new in replaced:
        writes.append(_row(organization_id, new).replace(old.version))
        changes.update({f"status={new.status}": 1})
        changes.subtract({f"status={old.status}": 1})
    if created:
        changes["all"] = len(created)
    first = created[0] if created else replaced[0][0] if replaced else None
    if first is None:
        return []
    active = {"active": changes[f"status={Status.ACTIVE}"]}
    shown = figures.moved(organization_id, first.customer_id, "subscriptions", active)
    by_plan = Counter(_counts_in([*created, *(new for _, new in replaced)]))
    by_plan.subtract(_counts_in([old for old, _ in replaced]))
    shown += subscribers.counted_actions(organization_id, first.id, by_plan)
    return [*writes, *counters.moved(organization_id, "subscription", first.id, changes), *shown]


def _counts_in(subscriptions: Iterable[Subscription]) -> Iterator[PlanId]:
    """The plans among whose active subscriptions these count."""
    for each in subscriptions:
        if each.status == Status.ACTIVE and each.counted_plan_id is not None:
            yield each.counted_plan_id


def take_action(organization_id: OrganizationId, subscription: Subscription) -> Write:
    """Take the external id; refused where a live subscription has it."""
    return _live_row(organization_id, subscription).create()


def hand_over_action(organization_id: OrganizationId, old: Subscription, new: Subscription) -> Write:
    """Hand the external id over to a successor."""
    return _live_row(organization_id, new).put(LiveRow.subscription_id == old.id)


def release_action(organization_id: OrganizationId, subscription: Subscription) -> Write:
    """Free the external id."""
    return _live_row(organization_id, subscription).remove(LiveRow.subscription_id == subscription.id)


def keys_of(organization_id: OrganizationId, customer_id: CustomerId, ids: Sequence[SubscriptionId]) -> list[Key]:
    """The keys of a customer's subscriptions."""
    return [(customer_pk(organization_id, customer_id), f"sub#{subscription_id}") for subscription_id in ids]


def _live_key(organization_id: OrganizationId, external_id: str) -> Key:
    return key(organization_id, "subscription-guard", external_id), "-"


def _live_row(organization_id: OrganizationId, subscription: Subscription) -> LiveRow:
    pk, sk = _live_key(organization_id, subscription.external_id)
    return LiveRow(pk=pk, sk=sk, customer_id=subscription.customer_id, subscription_id=subscription.id)


def _row(organization_id: OrganizationId, subscription: Subscription) -> SubscriptionRow:
    order = f"{stamp(subscription.created_at)}#{subscription.id}"
    return SubscriptionRow(
        pk=customer_pk(organization_id, subscription.customer_id),
        sk=f"sub#{subscription.id}",
        version=subscription.version,
        record=subscription,
        list_pk=key(organization_id, "subscription"),
        list_sk=order,
        owner_pk=external_pk(organization_id, subscription.external_id),
        owner_sk=order,
        words=rows.words_of(
            subscription.id,
            subscription.name,
            subscription.external_id,
            subscription.external_customer_id,
            subscription.plan_code,
        ),
    )
