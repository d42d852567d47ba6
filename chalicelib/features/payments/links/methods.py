"""Ways to pay: what the provider has of them, as a link keeps it."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.features.payments.links.records import LinkedMethod, ProviderLink
from chalicelib.features.payments.providers.values import Method
from chalicelib.platform.ids import PaymentMethodId, derived_id


def refreshed(
    link: ProviderLink, found: Sequence[Method], *, now: datetime, follow_default: bool = False
) -> ProviderLink:
    """A link with the methods that the provider has now. Our default stays while it can be charged, or passes to the one that
    replaced it; else the provider's becomes it. `follow_default`: a default that was changed at the provider is ours too."""
    there = [each for each in found if each.state != "forgotten"]
    usable = [each.id for each in there if each.state == "usable"]
    theirs = next((each.id for each in there if each.is_default and each.id in usable), next(iter(usable), None))
    before = link.default.provider_method_id if link.default is not None else None
    replaced = {each.id: each.replaced_by for each in found if each.replaced_by}
    own = replaced.get(before, before) if before is not None else None
    moved = follow_default and theirs != link.provider_default
    default = own if own in usable and not moved else theirs
    kept = {each.provider_method_id: each for each in link.methods}
    methods = tuple(
        LinkedMethod(
            id=PaymentMethodId(derived_id("payment-method", link.connection_id, each.id)),
            provider_method_id=each.id,
            type=each.type,
            state=each.state,
            currency=each.currency,
            brand=each.brand,
            last4=each.last4,
            is_default=each.id == default,
            created_at=kept[each.id].created_at if each.id in kept else now,
        )
        for each in there
    )
    return link.model_copy(update={"methods": methods, "provider_default": theirs, "lost": False})


def with_default(link: ProviderLink, method: LinkedMethod) -> ProviderLink:
    """A link with another default."""
    methods = tuple(each.model_copy(update={"is_default": each.id == method.id}) for each in link.methods)
    return link.model_copy(update={"methods": methods})


def without(link: ProviderLink, provider_method_id: str) -> ProviderLink:
    """A link without a method that the provider has no more; the next one that can be charged becomes the default."""
    left = tuple(each for each in link.methods if each.provider_method_id != provider_method_id)
    if not any(each.is_default for each in left):
        first = next((each.id for each in left if each.state == "usable"), None)
        left = tuple(each.model_copy(update={"is_default": each.id == first}) for each in left)
    return link.model_copy(update={"methods": left})


def lost(link: ProviderLink) -> ProviderLink:
    """A link whose customer the provider has no more."""
    return link.model_copy(update={"lost": True, "methods": (), "provider_default": None})
