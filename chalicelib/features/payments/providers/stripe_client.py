"""Stripe's library, opened for one connection: its calls, its lists, and its errors as ours. Imported at the first call.

Source: rules/catalog 10.2.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any

from chalicelib import limits
from chalicelib.features.payments.providers.base import CLOCKS_DIFFER
from chalicelib.features.payments.providers.errors import KeyReused, Misconfigured, ProviderFailure, Refused, Unknown
from chalicelib.features.payments.providers.values import Connection, Lost, ProviderError
from chalicelib.platform.settings import settings

SECRET = "secret_key"
MISSING = "resource_missing"


def library() -> Any:
    """The library, told to log and report nothing."""
    import stripe

    stripe.enable_telemetry = False
    # It logs what it sends and gets, the secrets of endpoints among it.
    logging.getLogger("stripe").setLevel(logging.WARNING)
    return stripe


@contextmanager
def calls(connection: Connection, *, about: Lost | None = None) -> Iterator[Any]:
    """Stripe's calls on behalf of a connection; what fails inside fails as one of our errors.

    Raises: Refused, Unknown, Misconfigured.
    """
    key = connection.secrets[SECRET]
    if not key.startswith(("sk_test_", "rk_test_") if connection.sandbox else ("sk_live_", "rk_live_")):
        raise Misconfigured(ProviderError("The key is of the other mode.", "invalid_api_key"), field=SECRET)
    import requests

    own, base = library(), settings().stripe_api_base
    timeout = (limits.PROVIDER_CONNECT_SECONDS, limits.PROVIDER_READ_SECONDS)
    try:
        with requests.Session() as session:
            session.max_redirects = 0
            client = own.StripeClient(
                key,
                base_addresses={"api": base} if base else None,
                max_network_retries=0,
                http_client=own.RequestsClient(timeout=timeout, session=session),
            )
            yield client.v1
    except ProviderFailure:
        raise
    except Exception as error:  # noqa: BLE001  whatever an answer makes the library do, nobody knows what Stripe did
        raise _failure(own, error, connection, about) from None


@contextmanager
def missing_is_fine() -> Iterator[None]:
    """Go on after the block where Stripe does not know the object."""
    try:
        yield
    except Refused as refusal:
        if refusal.error.error_code != MISSING:
            raise


def listed(page: Any) -> list[dict[str, Any]]:
    """All objects of a list, page by page.

    Raises: OverflowError, for more than anybody has: the list may not be taken for a whole one.
    """
    found = [each.to_dict() for each in islice(page.auto_paging_iter(), limits.PROVIDER_LISTED_MAX + 1)]
    if len(found) > limits.PROVIDER_LISTED_MAX:
        raise OverflowError("too many objects")
    return found


def since(at: datetime) -> dict[str, int]:
    """The filter of a list from an instant on, by whichever of the two clocks is behind."""
    return {"gte": int((at - CLOCKS_DIFFER).timestamp())}


def _failure(own: Any, error: Exception, connection: Connection, about: Lost | None) -> ProviderFailure:
    """An error of the library as one of ours. `about`: what the call was about, if it turns out to be missing."""
    told = getattr(error, "error", None)
    said = {} if told is None else told.to_dict()
    code = said.get("decline_code") or said.get("code") or said.get("type") or type(error).__name__
    message = connection.without_secrets(str(said.get("message") or type(error).__name__))
    why = ProviderError(message[: limits.PROVIDER_MESSAGE_CHARS], str(code))
    status, headers = getattr(error, "http_status", None), getattr(error, "headers", None) or {}
    if isinstance(error, own.AuthenticationError | own.PermissionError):
        return Misconfigured(why, field=SECRET)
    if isinstance(error, own.IdempotencyError):
        return KeyReused(why)
    if isinstance(error, own.CardError):
        intent = said.get("payment_intent") or {}
        return Refused(why, provider_id=intent.get("id"), provider_status=str(intent.get("status") or ""))
    if isinstance(error, own.InvalidRequestError) and status not in (409, 429):
        return Refused(why, lost=_lost(said, about))
    wait, replayed = str(headers.get("Retry-After", "")), str(headers.get("Idempotent-Replayed", ""))
    return Unknown(why, retry_after=int(wait) if wait.isdecimal() else None, replayed=replayed.lower() == "true")


def _lost(said: Mapping[str, Any], about: Lost | None) -> Lost | None:
    """What is missing. A payment method that was detached is refused without any code."""
    code, param = said.get("code"), said.get("param")
    if param == "payment_method" and code in (MISSING, "payment_method_unexpected_state", None):
        return "method"
    if code != MISSING:
        return None
    return "customer" if param == "customer" else about
