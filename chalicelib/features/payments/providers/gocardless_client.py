"""GoCardless's library, opened for one connection: its calls, its lists, and its errors as ours. Imported at the first call.

Source: rules/catalog 10.3.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.providers.base import CLOCKS_DIFFER
from chalicelib.features.payments.providers.errors import Misconfigured, ProviderFailure, Refused, Unknown
from chalicelib.features.payments.providers.values import Connection, Lost, ProviderError
from chalicelib.platform.settings import settings
from chalicelib.platform.timestamps import iso

SECRET = "access_token"
_PAGE = 500


class _Api:
    """The library's services, which try everything three times unless they are told not to."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        service = getattr(self._client, name)
        service.max_network_retries = 1
        return service


def library() -> Any:
    """The library."""
    import gocardless_pro

    return gocardless_pro


@contextmanager
def calls(connection: Connection, *, about: Lost | None = None) -> Iterator[Any]:
    """GoCardless' calls on behalf of a connection; what fails inside fails as one of our errors.

    Raises: Refused, Unknown, Misconfigured.
    """
    token = connection.secrets[SECRET]
    if token.startswith("live_" if connection.sandbox else "sandbox_"):
        raise Misconfigured(
            ProviderError("The token is of the other environment.", "access_token_invalid"), field=SECRET
        )
    own, base = library(), settings().gocardless_api_base
    try:
        client = own.Client(
            access_token=token,
            environment="sandbox" if connection.sandbox else "live",
            base_url=base or None,
            timeout=(limits.PROVIDER_CONNECT_SECONDS, limits.PROVIDER_READ_SECONDS),
            raise_on_idempotency_conflict=True,
        )
        yield _Api(client)
    except ProviderFailure:
        raise
    except Exception as error:  # noqa: BLE001  whatever an answer makes the library do, nobody knows what GoCardless did
        raise _failure(own, error, connection, about) from None


def once(service: Any, body: dict[str, Any], key: str, *, same: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What was made under a key, now or before.

    Raises: Refused, where something else was.
    """
    try:
        made: dict[str, Any] = service.create(body, keyed(key)).attributes
    except library().errors.IdempotentCreationConflictError as conflict:
        made = service.get(conflict.conflicting_resource_id).attributes
        if not same(made):
            told = ProviderError("Something else was made under the same key.", "idempotent_creation_conflict")
            raise Refused(told) from None
    return made


def keyed(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"Idempotency-Key": key}


def since(at: datetime) -> dict[str, str]:
    """The filter of a list from an instant on, by whichever of the two clocks is behind."""
    return {"created_at[gte]": iso(at - CLOCKS_DIFFER)}


def listed(service: Any, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All objects of a list, page by page.

    Raises: OverflowError, for more than anybody has: the list may not be taken for a whole one.
    """
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = service.list({**query, "limit": _PAGE, **({"after": after} if after else {})})
        found += [each.attributes for each in page.records]
        after = page.after
        if after is None:
            return found
        if len(found) > limits.PROVIDER_LISTED_MAX:
            raise OverflowError("too many objects")


def _failure(own: Any, error: Exception, connection: Connection, about: Lost | None) -> ProviderFailure:
    """An error of the library, or of the network, as one of ours. `about`: what the call was about, if it turns out to be
    missing."""
    errors, name = own.errors, type(error).__name__
    said = error.error if isinstance(error, errors.ApiError) and isinstance(error.error, dict) else {}
    first = next((each for each in said.get("errors") or [] if isinstance(each, dict)), {})
    told = f"{first.get('field') or ''} {first.get('message') or ''}".strip() or said.get("message") or name
    code = first.get("reason") or said.get("type") or name
    why = ProviderError(connection.without_secrets(str(told))[: limits.PROVIDER_MESSAGE_CHARS], str(code))
    if isinstance(error, errors.AuthenticationError | errors.PermissionsError):
        return Misconfigured(why, field=SECRET)
    definite = (errors.ValidationFailedError, errors.InvalidStateError, errors.InvalidApiUsageError)
    status = said.get("code")
    if not isinstance(error, definite) or (
        isinstance(status, int) and not (400 <= status < 500 and status not in (409, 429))
    ):
        return Unknown(why)
    return Refused(
        why, lost=_lost(why.error_code, str(first.get("field") or first.get("request_pointer") or ""), about)
    )


def _lost(code: str, place: str, about: Lost | None) -> Lost | None:
    if code == "mandate_is_inactive":
        return "method"
    if code not in ("resource_not_found", "customer_removed", "mandate_not_found"):
        return None
    return "method" if "mandate" in place else "customer" if "customer" in place else about
