"""Where subscriptions are kept: under their customer's key, so that billing reads them all at once.

Items
    pk                                      sk          what it is
    <org>#customer#<id>                     sub#<id>    the subscription
        index list:  <org>#subscription                 <created_at>#<id>   all of the organization
        index owner: <org>#subscription-ext#<external>  <created_at>#<id>   all that ever had this external id
    <org>#subscription-guard#<external>     -           one live chain per external id: whose and which

Access patterns
    1 guard(org, external)              GetItem   consistent: whose live subscription this is
    2 get(org, customer, id)            GetItem   consistent
    3 history(org, external)            Query     index owner: ended ones too, newest first
    4 together                          part of a decision's transaction
    5 guard_action, move_guard_action, release_action   the same
    6 external_ids(org)                 Query     index list: for exports only
    7 get_many(org, customer, ids)      BatchGet  consistent
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from chalicelib.features.subscriptions.records import Subscription
from chalicelib.platform import counters
from chalicelib.platform.collection import dump
from chalicelib.platform.ids import CustomerId, OrganizationId, SubscriptionId, key
from chalicelib.platform.table import Action, Item, core
from chalicelib.platform.timestamps import stamp

BEGINS = "sub#"


def customer_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """Under which key a customer's subscriptions stand, their sort keys after `BEGINS` by age."""
    return key(organization_id, "customer", customer_id)


def external_pk(organization_id: OrganizationId, external_id: str) -> str:
    """Under which key of the index owner all that ever had an external id stand."""
    return key(organization_id, "subscription-ext", external_id)


def guard(organization_id: OrganizationId, external_id: str) -> Item | None:
    """{customer_id, subscription_id} of the live subscription with this external id."""
    return core.get(key(organization_id, "subscription-guard", external_id))


def get(
    organization_id: OrganizationId, customer_id: CustomerId, subscription_id: SubscriptionId
) -> Subscription | None:
    """The subscription, read consistently."""
    item = core.get(key(organization_id, "customer", customer_id), f"sub#{subscription_id}")
    return None if item is None else read(item)


def get_many(
    organization_id: OrganizationId, customer_id: CustomerId, ids: Sequence[SubscriptionId]
) -> list[Subscription]:
    """Those of a customer's subscriptions that exist, in the order of `ids`, read consistently in one request."""
    keys = [(key(organization_id, "customer", customer_id), f"sub#{subscription_id}") for subscription_id in ids]
    found = core.get_many(keys)
    return [read(found[place]) for place in keys if place in found]


def history(organization_id: OrganizationId, external_id: str) -> list[Subscription]:
    """All subscriptions that have or had this external id, newest first."""
    pk = external_pk(organization_id, external_id)
    found = [read(item) for item in core.query(pk, index="owner", descending=True)]
    return sorted(found, key=lambda s: (s.created_at, s.id), reverse=True)


def external_ids(organization_id: OrganizationId) -> set[str]:
    """All external ids that subscriptions have or had."""
    return {read(item).external_id for item in core.query(key(organization_id, "subscription"), index="list")}


def write_subscriptions(
    organization_id: OrganizationId,
    *,
    created: Sequence[Subscription] = (),
    replaced: Sequence[tuple[Subscription, Subscription]] = (),
) -> list[Action]:
    """Store new subscriptions and write others over what was read; refused if somebody else wrote in between.

    All of one transaction go together: their totals move in one row, which no transaction may touch twice.
    """
    actions = [core.create(_item(organization_id, each)) for each in created]
    changes = Counter(f"status={each.status}" for each in created)
    for old, new in replaced:
        written = new.model_copy(update={"version": old.version + 1})
        item = _item(organization_id, written)
        actions.append(core.put(item, condition="version = :version", values={":version": old.version}))
        changes.update({f"status={new.status}": 1})
        changes.subtract({f"status={old.status}": 1})
    if created:
        changes["all"] = len(created)
    first = created[0].id if created else replaced[0][0].id if replaced else ""
    return [*actions, *counters.moved(organization_id, "subscription", first, changes)]


def guard_action(organization_id: OrganizationId, subscription: Subscription) -> Action:
    """Take the external id; refused where a live subscription has it."""
    return core.create(_guard(organization_id, subscription))


def move_guard_action(organization_id: OrganizationId, old: Subscription, new: Subscription) -> Action:
    """Hand the external id over to a successor."""
    return core.put(_guard(organization_id, new), condition="subscription_id = :old", values={":old": old.id})


def release_action(organization_id: OrganizationId, subscription: Subscription) -> Action:
    """Free the external id."""
    return core.delete(
        (key(organization_id, "subscription-guard", subscription.external_id), "-"),
        condition="subscription_id = :id",
        values={":id": subscription.id},
    )


def read(item: Item) -> Subscription:
    """The subscription in an item."""
    return Subscription.model_validate(item["record"] | {"version": item["version"]})


def _guard(organization_id: OrganizationId, subscription: Subscription) -> Item:
    return {
        "pk": key(organization_id, "subscription-guard", subscription.external_id),
        "sk": "-",
        "customer_id": subscription.customer_id,
        "subscription_id": subscription.id,
    }


def _item(organization_id: OrganizationId, subscription: Subscription) -> Item:
    order = f"{stamp(subscription.created_at)}#{subscription.id}"
    values: dict[str, Any] = {
        "pk": key(organization_id, "customer", subscription.customer_id),
        "sk": f"sub#{subscription.id}",
        "version": subscription.version,
        "record": dump(subscription),
        "list_pk": key(organization_id, "subscription"),
        "list_sk": order,
        "owner_pk": key(organization_id, "subscription-ext", subscription.external_id),
        "owner_sk": order,
        "words": "\n".join(
            part or ""
            for part in (
                subscription.id,
                subscription.name,
                subscription.external_id,
                subscription.external_customer_id,
                subscription.plan_code,
            )
        ).lower(),
    }
    return values
