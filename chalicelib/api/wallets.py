"""`/wallets`, and the same below a customer by the wallet's code.

What prices usage is imported by the views that show it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import BadRequest, NotFound
from chalicelib.features.customers import service as customers
from chalicelib.features.events import service as events
from chalicelib.features.organizations import service as organizations
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.wallets import listings, reading, service
from chalicelib.features.wallets.records import Wallet
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.ids import WalletId

routes = Routes(__name__)

_ONE, _BELOW = "/wallets/{lago_id}", "/customers/{external_customer_id}/wallets/{code}"
_METADATA = "/customers/{external_customer_id}/wallets/{wallet_code}/metadata"


@routes.post("/wallets")
def create(call: Call) -> dict[str, Any]:
    """A new wallet with its first credits."""
    return _created(call, call.root("wallet"))


@routes.post("/customers/{external_customer_id}/wallets")
def create_below(call: Call) -> dict[str, Any]:
    """A new wallet of the customer in the path."""
    customer = customers.find(call.organization.id, call.path["external_customer_id"])
    return _created(call, call.root("wallet") | {"external_customer_id": customer.external_id})


@routes.get("/wallets")
def index(call: Call) -> dict[str, Any]:
    """One page, newest first."""
    up_to_date(call)
    found, meta = listings.page(call)
    return {"wallets": _shown(call, found), "meta": meta}


@routes.get("/customers/{external_customer_id}/wallets")
def index_below(call: Call) -> dict[str, Any]:
    """Wallets of one customer. Raises: NotFound, for an unknown customer."""
    up_to_date(call)
    customer = customers.find(call.organization.id, call.path["external_customer_id"])
    found, meta = listings.page(call, customer.id)
    return {"wallets": _shown(call, found), "meta": meta}


@routes.get(_ONE)
def show(call: Call) -> dict[str, Any]:
    """One, of any status."""
    up_to_date(call)
    return _answer(call, _by_id(call))


@routes.get(_BELOW)
def show_below(call: Call) -> dict[str, Any]:
    """One, by its code."""
    up_to_date(call)
    return _answer(call, _by_code(call, "code"))


@routes.put(_ONE)
def update(call: Call) -> dict[str, Any]:
    """Change the fields present."""
    return _updated(call, _by_id(call))


@routes.put(_BELOW)
def update_below(call: Call) -> dict[str, Any]:
    """Change the wallet that a customer has under a code."""
    return _updated(call, _by_code(call, "code"))


@routes.delete(_ONE)
def terminate(call: Call) -> dict[str, Any]:
    """End it; what it has left is lost."""
    return _ended(call, _by_id(call))


@routes.delete(_BELOW)
def terminate_below(call: Call) -> dict[str, Any]:
    """End the wallet that a customer has under a code."""
    return _ended(call, _by_code(call, "code"))


def _mount_metadata(path: str, find: Callable[[Call], WalletId]) -> None:
    """The four routes of a wallet's metadata."""

    def replace(call: Call) -> dict[str, Any]:
        return _metadata(call, find, lambda old: _pairs(call))

    def merge(call: Call) -> dict[str, Any]:
        return _metadata(call, find, lambda old: {**old, **_pairs(call)})

    def remove(call: Call) -> dict[str, Any]:
        _metadata(call, find, lambda old: _without(old, None))
        return {"metadata": None}

    def remove_pair(call: Call) -> dict[str, Any]:
        return _metadata(call, find, lambda old: _without(old, call.path["key"]))

    below = path.replace("/", "_").replace("{", "").replace("}", "")
    for view in (replace, merge, remove, remove_pair):
        view.__name__ += below
    routes.post(path)(replace)
    routes.patch(path)(merge)
    routes.delete(path)(remove)
    routes.delete(f"{path}/{{key}}")(remove_pair)


_mount_metadata("/wallets/{lago_id}/metadata", lambda call: _by_id(call))
_mount_metadata(_METADATA, lambda call: _by_code(call, "wallet_code"))


def up_to_date(call: Call) -> None:
    """In a sandbox wait for events in flight, and run what they made due, so that a read shows it."""
    if call.organization.sandbox:
        events.wait_for_events(call.organization)
        test_clock.run_due(call.organization, now=call.now)


def _created(call: Call, values: dict[str, Any]) -> dict[str, Any]:
    from chalicelib.features.prepaid import top_ups

    wallet = top_ups.create(call.organization, values, now=call.now)
    test_clock.run_due(call.organization, now=call.now)
    return _answer(call, wallet.id)


def _updated(call: Call, wallet_id: WalletId) -> dict[str, Any]:
    wallet, tasks = service.update(call.organization, wallet_id, call.root("wallet"), _timezone(call), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, wallet.id)


def _ended(call: Call, wallet_id: WalletId) -> dict[str, Any]:
    wallet, tasks = service.terminate(call.organization, wallet_id, now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return _answer(call, wallet.id)


def _metadata(
    call: Call, find: Callable[[Call], WalletId], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    new, tasks = service.change_metadata(call.organization, find(call), change, _timezone(call), now=call.now)
    test_clock.run_due(call.organization, now=call.now, tasks=tasks)
    return {"metadata": dict(new.metadata)}


def _without(old: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Metadata without the pair of a key, or without any.

    Raises: NotFound, where there is nothing to remove.
    """
    if not old or (name is not None and name not in old):
        raise NotFound(Resource.METADATA)
    return {} if name is None else {key: value for key, value in old.items() if key != name}


def _pairs(call: Call) -> dict[str, Any]:
    """The body's pairs; there may be none, but the key must be there.

    Raises: BadRequest.
    """
    pairs = call.optional_body().get("metadata")
    if not isinstance(pairs, dict):
        raise BadRequest("param is missing or the value is empty or invalid: metadata")
    return dict(pairs)


def _by_id(call: Call) -> WalletId:
    return WalletId(call.path["lago_id"])


def _by_code(call: Call, name: str) -> WalletId:
    """The wallet of the path's customer and code.

    Raises: NotFound.
    """
    customer = customers.find(call.organization.id, call.path["external_customer_id"])
    return reading.of_code(customers.items_of(call.organization.id, customer.id), call.path[name]).id


def _timezone(call: Call) -> str:
    return organizations.get(call.organization.id).timezone


def _shown(call: Call, found: Sequence[Wallet]) -> list[dict[str, Any]]:
    from chalicelib.features.prepaid import ongoing

    return ongoing.show(call.organization.id, found, now=call.now)


def _answer(call: Call, wallet_id: WalletId) -> dict[str, Any]:
    from chalicelib.features.prepaid import ongoing

    customer_id = reading.holder(call.organization.id, wallet_id)
    return {"wallet": ongoing.show_one(call.organization.id, customer_id, wallet_id, now=call.now)}
