"""Bringing a customer in line at its payment provider: created there once, linked, told of edits. Source: rules/catalog 10."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import provider as customer_provider
from chalicelib.features.customers import service as customers
from chalicelib.features.customers.records import Customer
from chalicelib.features.payments import waiting
from chalicelib.features.payments.connections import reading as connections
from chalicelib.features.payments.connections import trouble
from chalicelib.features.payments.connections.records import ProviderConnection
from chalicelib.features.payments.links import details, methods, store, telling
from chalicelib.features.payments.links.records import ProviderLink
from chalicelib.features.payments.providers import registry
from chalicelib.features.payments.providers.errors import KeyReused, Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId
from chalicelib.platform.unit import Unit, Write

SYNC = customer_provider.SYNC
# Makes a page for leaving a way to pay, and announces it.
PAGE = agenda.kind("make_provider_page", rank=96, real_time=True, queue="providers")
# Submits what a customer owes, now that it can be charged.
SUBMIT = agenda.kind("submit_unpaid_invoices", rank=97, real_time=True)

# A failure that a provider repeats under a key stays for a day: after an hour without a find, another key is taken.
_KEY_GIVEN_UP = timedelta(hours=1)


@dataclass(slots=True)
class Result:
    """What a look at a customer leads to, all written together."""

    writes: list[Write] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)


def run(task: Task) -> None:
    """Bring the customer of a task in line; while the provider gives no answer, or does not take the secret, it waits."""
    organization = task.organization
    customer = customers.get(organization.id, CustomerId(task.subject))
    connection = None if customer is None else _connection_of(organization, customer)
    if customer is None or connection is None:
        _finish(task, Result() if customer is None else _not_connected(organization, customer))
        return
    if connection.state == "misconfigured":
        waiting.for_secret(task)
        return
    try:
        result = _brought_in_line(organization, customer, connection)
    except Misconfigured as failure:
        trouble.mark(organization, connection, failure, source="customer", action="sync")
        waiting.for_secret(task)
    except Unknown as failure:
        waiting.for_answer(task, failure)
    else:
        _finish(task, result)


def submission(organization: OrganizationRef, customer_id: CustomerId, *, method_id: str | None = None) -> Task:
    """The task that submits what a customer owes; written with what makes it possible. `method_id`: the way to pay that was
    just left, which is charged; None for the default."""
    return agenda.task(SUBMIT, organization, customer_id, clock.utc_now(), {"method_id": method_id})


def _finish(task: Task, result: Result) -> None:
    now = clock.now(task.organization)
    Unit(result.writes, agenda.done(task), [agenda.put(each, now=now) for each in result.tasks]).commit()
    agenda.push(result.tasks)


def _connection_of(organization: OrganizationRef, customer: Customer) -> ProviderConnection | None:
    configuration = customer.billing_configuration
    name = configuration.payment_provider
    if customer.deleted_at is not None or name is None or name not in registry.names():
        return None
    return connections.chosen(organization.id, name, configuration.payment_provider_code)[0]


def _not_connected(organization: OrganizationRef, customer: Customer) -> Result:
    """A customer that means no connection, or several: told, unless all is done by hand."""
    configuration = customer.billing_configuration
    name = configuration.payment_provider
    if customer.deleted_at is not None or name is None or name not in registry.names():
        return Result()
    try:
        connections.check_choice(name, configuration.payment_provider_code, connections.live(organization.id))
    except Invalid as refusal:
        code = str(refusal.details["payment_provider_code"][0])  # type: ignore[index]
        error = ProviderError(ErrorCode(code).when, code)
        return Result(tasks=telling.failed(organization, customer, error, subject=f"choice#{customer.version}"))
    return Result()


def _brought_in_line(organization: OrganizationRef, customer: Customer, connection: ProviderConnection) -> Result:
    links = store.links_of(organization.id, customer.id)
    none = ProviderLink(customer_id=customer.id, connection_id=connection.id)
    old = next((each for each in links if each.connection_id == connection.id), none)
    configuration = customer.billing_configuration
    given = configuration.provider_customer_id
    if given is not None and _is_foreign(organization, customer, given, [each for each in links if each is not old]):
        given = None
    link = old
    if given is not None and given != old.provider_customer_id:
        link = _linked(old, given)
    elif old.lost and configuration.sync_with_provider:
        link = _begun_again(old)
    try:
        if link.provider_customer_id is None and configuration.sync_with_provider:
            return _created(organization, customer, connection, old, link)
        if link.provider_customer_id is None or (given is None and not configuration.sync_with_provider):
            return Result(writes=_named(organization, customer, None))
        return _told(organization, customer, connection, old, link)
    except Refused as refusal:
        gone = methods.lost(link) if refusal.lost == "customer" and link.provider_customer_id else link
        writes = [] if gone == old else store.write(organization.id, old, gone)
        subject = f"{connection.id}#{customer.version}"
        return Result(writes, telling.failed(organization, customer, refusal.error, subject=subject))


def _is_foreign(organization: OrganizationRef, customer: Customer, given: str, others: Sequence[ProviderLink]) -> bool:
    """Whether an id is of another connection, which knows nobody of this one. Where that was disconnected this one may be of
    the same account: the id is tried, unless the customer may be looked for and created."""
    theirs = [each.connection_id for each in others if each.provider_customer_id == given]
    if not theirs or customer.billing_configuration.sync_with_provider:
        return bool(theirs)
    return any(each.live for each in connections.get_many(organization.id, theirs).values())


def _created(
    organization: OrganizationRef,
    customer: Customer,
    connection: ProviderConnection,
    old: ProviderLink,
    link: ProviderLink,
) -> Result:
    """The customer, created at the provider unless it was before. That it is asked for is written first: who comes after a lost
    answer looks for it there."""
    since = link.asked_at
    if since is None:
        link = link.model_copy(update={"asked_at": clock.utc_now()})
    if link != old:
        Unit(store.write(organization.id, old, link)).commit()
        old = link = link.model_copy(update={"version": old.version + 1})
    told, opened = details.of(customer), connections.opened(organization, connection)
    key = f"customer-{customer.id}-{connection.id}" + (f"-{link.generation}" if link.generation else "")
    try:
        own_id = connections.provider_of(connection).ensure_customer(opened, told, key, since)
    except Unknown as failure:
        stuck = isinstance(failure, KeyReused) or failure.replayed
        if stuck and since is not None and clock.utc_now() - since > _KEY_GIVEN_UP:
            again = link.model_copy(update={"generation": link.generation + 1})
            Unit(store.write(organization.id, link, again)).commit()
        raise
    made = link.model_copy(update={"provider_customer_id": own_id, "lost": False, "told": details.digest(told)})
    named = _with_id(customer, own_id)
    tasks = [
        *telling.created(organization, named),
        agenda.task(PAGE, organization, customer.id, clock.utc_now()),
    ]
    writes = store.write(organization.id, old, made)
    return Result([*writes, *_named(organization, customer, own_id)], tasks)


def _told(
    organization: OrganizationRef,
    customer: Customer,
    connection: ProviderConnection,
    old: ProviderLink,
    link: ProviderLink,
) -> Result:
    """A customer that is there: one that is new to us is read, one that was edited is told."""
    own_id = link.provider_customer_id
    assert own_id is not None, "it is linked"
    provider, opened = connections.provider_of(connection), connections.opened(organization, connection)
    wanted = details.of(customer)
    tasks: list[Task] = []
    if old.lost or link.provider_customer_id != old.provider_customer_id:
        found = provider.methods(opened, own_id)
        link = methods.refreshed(link, found, now=clock.now(organization))
        link = link.model_copy(update={"told": details.digest(wanted)})
        tasks = [submission(organization, customer.id)] if link.default is not None else []
    elif link.told != details.digest(wanted):
        provider.update_customer(opened, own_id, wanted)
        link = link.model_copy(update={"told": details.digest(wanted)})
    writes = [] if link == old else store.write(organization.id, old, link)
    return Result([*writes, *_named(organization, customer, own_id)], tasks)


def _linked(old: ProviderLink, given: str) -> ProviderLink:
    fresh = {"provider_customer_id": given, "lost": False, "methods": (), "provider_default": None, "told": ""}
    return old.model_copy(update=fresh)


def _begun_again(link: ProviderLink) -> ProviderLink:
    """A link whose customer the provider has lost, before another is created."""
    fresh = {"provider_customer_id": None, "lost": False, "asked_at": None, "generation": link.generation + 1}
    return link.model_copy(update=fresh)


def _with_id(customer: Customer, own_id: str | None) -> Customer:
    configuration = customer.billing_configuration.model_copy(update={"provider_customer_id": own_id})
    return customer.model_copy(update={"billing_configuration": configuration})


def _named(organization: OrganizationRef, customer: Customer, own_id: str | None) -> list[Write]:
    """Let the customer name its counterpart; refused if it was edited meanwhile, as it may mean another connection now."""
    if customer.billing_configuration.provider_customer_id == own_id:
        return []
    return [customers.replace_action(organization.id, customer, _with_id(customer, own_id))]
