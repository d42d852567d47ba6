"""Pages of the provider on which a customer leaves a way to pay. Source: rules/catalog 10."""

from collections.abc import Sequence

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.payments import waiting
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.links import losing, telling
from chalicelib.features.payments.links.reading import account_of
from chalicelib.features.payments.links.records import Account
from chalicelib.features.payments.links.sync import SYNC
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import SetupRequest
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task, runner
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId
from chalicelib.platform.unit import Unit

_TYPES = ("card",)


def url_of(organization: OrganizationRef, customer: Customer) -> tuple[str, list[Task]]:
    """A new page for a customer, and the tasks to push. One that the provider has lost, or that never got there, is created
    first, where that is wanted.

    Raises: Invalid.
    """
    account = account_of(organization, customer) or _created(organization, customer)
    try:
        url = _made(organization, customer, account)
    except Misconfigured as failure:
        trouble.mark(organization, account.connection, failure, source="customer", action="checkout_url")
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_REFUSED) from None
    except Unknown:
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_NOT_REACHED) from None
    except Refused as refusal:
        if refusal.lost != "customer":
            raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_REFUSED) from None
        losing.customer(organization, customer, account.connection.id, refusal.error)
        url = _again(organization, customer)
    told = telling.page(organization, customer, url)
    now = clock.now(organization)
    Unit([agenda.put(each, now=now) for each in told]).commit()
    return url, told


def run(task: Task) -> None:
    """Make a page for the customer of a task and announce it. Done twice it makes another page, which harms nobody."""
    organization, now = task.organization, clock.now(task.organization)
    customer = customers.get(organization.id, CustomerId(task.subject))
    account = None if customer is None else account_of(organization, customer)
    told: list[Task] = []
    if customer is not None and customer.deleted_at is None and account is not None:
        if account.connection.state == "misconfigured":
            waiting.for_secret(task)
            return
        try:
            told = telling.page(organization, customer, _made(organization, customer, account))
        except Misconfigured as failure:
            trouble.mark(organization, account.connection, failure, source="customer", action="checkout_url")
            waiting.for_secret(task)
            return
        except Unknown as failure:
            waiting.for_answer(task, failure)
            return
        except Invalid:
            told = []
        except Refused as refusal:
            told = telling.failed(organization, customer, refusal.error, subject=f"page#{account.link.version}")
    Unit(agenda.done(task), [agenda.put(each, now=now) for each in told]).commit()
    agenda.push(told)


def types_left(wanted: Sequence[str], never: frozenset[str]) -> tuple[str, ...]:
    """The kinds of method that a page offers to be left: of those that the customer may use, card if none is said.

    Raises: Invalid, where none of them can be left.
    """
    found = tuple(each for each in wanted or _TYPES if each not in never)
    if not found:
        raise Invalid.field("base", ErrorCode.NO_PAYMENT_METHODS_TO_SETUP_AVAILABLE)
    return found


def _made(organization: OrganizationRef, customer: Customer, account: Account) -> str:
    provider, opened = connections.provider_of(account.connection), connections.opened(organization, account.connection)
    wanted = customer.billing_configuration.provider_payment_methods
    request = SetupRequest(
        customer_id=customer.id,
        provider_customer_id=account.provider_customer_id,
        currency=customer.currency or organizations.get(organization.id).default_currency,
        success_url=account.connection.success_redirect_url or provider.home,
        methods=types_left(wanted, provider.not_left),
    )
    return provider.setup_link(opened, request).url


def _created(organization: OrganizationRef, customer: Customer) -> Account:
    """The account of a customer who is linked only now.

    Raises: Invalid.
    """
    configuration = customer.billing_configuration
    asked = configuration.sync_with_provider or configuration.provider_customer_id
    if configuration.payment_provider is not None and asked:
        task = agenda.task(SYNC, organization, customer.id, clock.utc_now())
        agenda.put(task, now=clock.now(organization)).alone()
        runner.run(task, now=task.due_at)
        current = customers.get(organization.id, customer.id)
        account = None if current is None else account_of(organization, current)
        if account is not None:
            return account
    raise Invalid.field("base", ErrorCode.NO_LINKED_PAYMENT_PROVIDER)


def _again(organization: OrganizationRef, customer: Customer) -> str:
    try:
        return _made(organization, customer, _created(organization, customer))
    except (Misconfigured, Refused):
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_REFUSED) from None
    except Unknown:
        raise Invalid.field("base", ErrorCode.PAYMENT_PROVIDER_NOT_REACHED) from None
