"""Storage of links.

Items
    pk                                              sk              what it is
    <org>#provider-customer#<customer>              <connection>    the link of a customer with a connection
    <org>#provider-object#<connection>#<object>     <customer>      who a customer or method of the provider belongs to

Access patterns
    1 get(org, customer, connection)    GetItem    consistent
    2 links_of(org, customer)           Query      consistent: all of a customer, few
    3 owners(org, connection, object)   Query      consistent: the customers that a provider's object belongs to
    4 write(...)                        part of the transaction of a change, under the link's optimistic lock, with the owners'
                                        items of what is new in it
"""

from chalicelib.features.payments.links.records import NOT_WRITTEN, ProviderLink
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.ids import CustomerId, OrganizationId, PaymentProviderId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.unit import Write


class LinkRow(RecordRow):
    """A link."""

    record = RecordAttribute(ProviderLink)


class OwnerRow(Row):
    """Who an object of a provider belongs to, which its sort key says."""


def get(organization_id: OrganizationId, customer_id: CustomerId, connection_id: PaymentProviderId) -> ProviderLink:
    """The link of a customer with a connection; an empty one where nothing is written yet."""
    found = LinkRow.find(_pk(organization_id, customer_id), connection_id)
    if found is None:
        return ProviderLink(customer_id=customer_id, connection_id=connection_id)
    link: ProviderLink = found.value
    return link


def links_of(organization_id: OrganizationId, customer_id: CustomerId) -> list[ProviderLink]:
    """All links of a customer."""
    return [row.value for row in LinkRow.select(_pk(organization_id, customer_id))]


def owners(organization_id: OrganizationId, connection_id: PaymentProviderId, object_id: str) -> list[CustomerId]:
    """The customers that an object of a provider belongs to, or once did."""
    return [CustomerId(row.sk) for row in OwnerRow.select(_owner_pk(organization_id, connection_id, object_id))]


def write(organization_id: OrganizationId, old: ProviderLink, new: ProviderLink) -> list[Write]:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    row = LinkRow(pk=_pk(organization_id, new.customer_id), sk=new.connection_id, version=old.version + 1, record=new)
    written = row.create() if old.version == NOT_WRITTEN else row.replace(old.version)
    fresh = sorted(_objects(new) - _objects(old))
    owned = [
        OwnerRow(pk=_owner_pk(organization_id, new.connection_id, each), sk=new.customer_id).put() for each in fresh
    ]
    return [written, *owned]


def _objects(link: ProviderLink) -> set[str]:
    own = {link.provider_customer_id} if link.provider_customer_id else set()
    return own | {each.provider_method_id for each in link.methods}


def _pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    return key(organization_id, "provider-customer", customer_id)


def _owner_pk(organization_id: OrganizationId, connection_id: PaymentProviderId, object_id: str) -> str:
    return key(organization_id, "provider-object", connection_id, object_id)
