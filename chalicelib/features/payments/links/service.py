"""A customer's ways to pay: listed, deleted, chosen."""

from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import losing, methods, store
from chalicelib.features.payments.links.reading import account_of
from chalicelib.features.payments.links.records import Account, LinkedMethod
from chalicelib.features.payments.providers.errors import Misconfigured, ProviderFailure, Refused
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.retry import retrying
from chalicelib.platform.timestamps import iso
from chalicelib.platform.unit import Unit


def methods_of(organization: OrganizationRef, external_customer_id: str) -> list[dict[str, Any]]:
    """The ways to pay of a customer as the API shows them, the default first.

    Raises: NotFound.
    """
    return shown_of(organization, customers.find(organization.id, external_customer_id))


def shown_of(organization: OrganizationRef, customer: Customer) -> list[dict[str, Any]]:
    """The same of a customer who was read before."""
    account = account_of(organization, customer)
    if account is None:
        return []
    found = sorted(account.link.methods, key=lambda each: not each.is_default)
    return [show(account.connection, each) for each in found]


def set_as_default(organization: OrganizationRef, external_customer_id: str, method_id: str) -> dict[str, Any]:
    """Let a way to pay be charged from now on.

    Raises: NotFound; Invalid, for one that cannot be charged; ChangedMeanwhile.
    """

    def attempt() -> dict[str, Any]:
        _, account, method = _found(organization, external_customer_id, method_id)
        if method.state != "usable":
            raise Invalid.field("payment_method", ErrorCode.VALUE_IS_INVALID)
        chosen = methods.with_default(account.link, method)
        if chosen != account.link:
            Unit(store.write(organization.id, account.link, chosen)).commit()
        return show(account.connection, method.model_copy(update={"is_default": True}))

    return retrying(attempt, Resource.PAYMENT_METHOD)


def delete(organization: OrganizationRef, external_customer_id: str, method_id: str) -> dict[str, Any]:
    """Take a way to pay from its customer, at the provider first.

    Raises: NotFound; Invalid, where the provider refuses or does not answer; ChangedMeanwhile.
    """
    customer, account, method = _found(organization, external_customer_id, method_id)
    connection = account.connection
    try:
        opened = connections.opened(organization, connection)
        connections.provider_of(connection).forget(opened, method.provider_method_id)
    except Misconfigured as failure:
        trouble.mark(organization, connection, failure, source="payment_method", action="delete")
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_REFUSED) from None
    except ProviderFailure as failure:
        refused = isinstance(failure, Refused)
        code = ErrorCode.PAYMENT_PROVIDER_REFUSED if refused else ErrorCode.PAYMENT_PROVIDER_NOT_REACHED
        raise Invalid.field("base", code) from None
    losing.method(organization, customer.id, connection.id, method.provider_method_id)
    return show(connection, method)


def show(connection: ProviderConnection, method: LinkedMethod) -> dict[str, Any]:
    """A way to pay as the API shows it."""
    return {
        "lago_id": method.id,
        "is_default": method.is_default,
        "payment_provider_code": connection.code,
        "payment_provider_name": connection.name,
        "payment_provider_type": connection.payment_provider,
        "provider_method_id": method.provider_method_id,
        "created_at": iso(method.created_at),
    }


def _found(
    organization: OrganizationRef, external_customer_id: str, method_id: str
) -> tuple[Customer, Account, LinkedMethod]:
    customer = customers.find(organization.id, external_customer_id)
    account = account_of(organization, customer)
    method = None if account is None else next((each for each in account.link.methods if each.id == method_id), None)
    if account is None or method is None:
        raise NotFound(Resource.PAYMENT_METHOD)
    return customer, account, method
