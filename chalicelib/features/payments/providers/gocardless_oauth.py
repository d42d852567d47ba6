"""GoCardless: a one-time code of its page becomes an access token, which its library does not do.

Source: rules/catalog 10.3.
"""

from chalicelib import limits
from chalicelib.features.payments.providers.errors import Misconfigured, Refused, Unknown
from chalicelib.features.payments.providers.values import ProviderError
from chalicelib.platform.settings import settings

CODE = "access_code"
_BASES = {True: "https://connect-sandbox.gocardless.com", False: "https://connect.gocardless.com"}
_NO_CLIENT = ProviderError("This installation is no partner of GoCardless.", "no_oauth_client")
_REFUSED_CODES = ("invalid_grant", "invalid_request")


def token_of(code: str, redirect_uri: str, *, sandbox: bool) -> str:
    """The access token that a code is exchanged for, once.

    Raises: Misconfigured, for a code that is not good (any more); Refused, where this installation is not known; Unknown.
    """
    own = settings()
    if not own.gocardless_client_id or not own.gocardless_client_secret:
        raise Refused(_NO_CLIENT)
    import requests

    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": own.gocardless_client_id,
        "client_secret": own.gocardless_client_secret,
    }
    timeout = (limits.PROVIDER_CONNECT_SECONDS, limits.PROVIDER_READ_SECONDS)
    url = f"{own.gocardless_connect_base or _BASES[sandbox]}/oauth/access_token"
    try:
        answer = requests.post(url, data=form, timeout=timeout, allow_redirects=False)
        said = answer.json()
        token, error = said.get("access_token"), str(said.get("error") or "")
    except Exception as failure:  # noqa: BLE001  whatever went wrong, nobody knows whether the code is still good
        raise Unknown(ProviderError("No answer.", type(failure).__name__)) from None
    if answer.status_code == 200 and isinstance(token, str) and token:
        return token
    why = ProviderError("GoCardless does not take the code.", error or str(answer.status_code))
    if answer.status_code in (400, 401) and error in _REFUSED_CODES:
        raise Misconfigured(why, field=CODE)
    if 400 <= answer.status_code < 500 and answer.status_code not in (409, 429):
        raise Refused(why)
    raise Unknown(why)
