"""Connections with payment providers: the tab of settings, connecting one, changing, rotating and disconnecting it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chalicelib.console import choices, forms
from chalicelib.console.forms import Form
from chalicelib.console.views import settings
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.errors import NotFound
from chalicelib.features.payments.connections import reading, serializer
from chalicelib.features.payments.providers import registry
from chalicelib.platform.http.inside import path_of
from chalicelib.platform.ids import PaymentProviderId

Shown = Mapping[str, Any]

_SWITCHES = ("supports_3ds", "retry_if_possible")


class _Words(NamedTuple):
    """What the forms of a provider say. `secret`: the label of its first secret; `options`: the switches that matter to it."""

    secret: str
    hint: str
    options: Sequence[str]


# Of a provider that is not named here the form has the secret's own name, and all switches.
_WORDS: Mapping[str, _Words] = {
    "stripe": _Words("Secret key", "From Stripe's dashboard, Developers, API keys.", ("supports_3ds",)),
    "gocardless": _Words(
        "Access token", "From GoCardless' dashboard, Developers, with read and write access.", ("retry_if_possible",)
    ),
}


def index(visit: Visit) -> Page:
    """All connections; there are few."""
    connections = visit.api.get("/payment_providers", {"per_page": 100})["payment_providers"]
    values = {
        "tabs": settings.tabs(visit),
        "connections": connections,
        "names": dict(choices.PROVIDERS),
        "offered": [(each, choices.provider(each)) for each in registry.names()],
    }
    return Page("integrations/index.html", values)


def found(visit: Visit) -> Shown:
    """The connection of the address, as the API shows it.

    Raises: NotFound, also of one that was disconnected.
    """
    kept = reading.get(visit.organization.id, PaymentProviderId(visit.path["id"]))
    if kept is None or not kept.live:
        raise NotFound(Resource.PAYMENT_PROVIDER)
    return serializer.show(visit.organization.id, kept)


def show(visit: Visit) -> Page:
    """One connection."""
    connection = found(visit)
    provider = connection["payment_provider"]
    secret = connection[registry.provider(provider).secret_fields[0]]
    return Page("integrations/show.html", {"connection": connection, "words": _words(provider), "secret": secret})


def new(visit: Visit) -> Page | Redirect:
    """Connect a provider. What has to be entered there by hand is shown this once."""
    provider = visit.path["provider"]
    if provider not in registry.names():
        raise NotFound(Resource.PAYMENT_PROVIDER)
    if visit.method == "GET":
        form = Form(values={"code": [provider], "name": [choices.provider(provider)], "retry_if_possible": ["true"]})
        return _form(form, provider, None)
    form = forms.posted(visit)
    body = {**_body(form, provider), "code": form.value("code"), "payment_provider": provider}
    made = forms.submit(form, lambda: visit.api.post("/payment_providers", {"payment_provider": body}))
    if made is None:
        return _form(form, provider, None)
    return _told(visit, made["payment_provider"], "Connected")


def edit(visit: Visit) -> Page | Redirect:
    """Change a connection; an empty secret leaves the one that is kept."""
    connection = found(visit)
    provider = connection["payment_provider"]
    if visit.method == "GET":
        return _form(forms.filled({name: connection[name] for name in _names(provider)}), provider, connection)
    form = forms.posted(visit)
    body = {"payment_provider": _body(form, provider)}
    if forms.submit(form, lambda: visit.api.put(_path(connection), body)) is None:
        return _form(form, provider, connection)
    return Redirect(_address(visit, connection), said="Saved")


def rotate(visit: Visit) -> Page | Redirect:
    """Have events signed with a new secret."""
    connection, form = found(visit), Form()
    if visit.method == "POST":
        made = forms.submit(form, lambda: visit.api.post(_path(connection, "rotate_webhook_secret")))
        if made is not None:
            return _told(visit, made["payment_provider"], "Rotated")
    return Page("integrations/rotate.html", {"connection": connection, "form": form}, form.status)


def disconnect(visit: Visit) -> Page | Redirect:
    """Disconnect, after its consequence was told."""
    connection, form = found(visit), Form() if visit.method == "GET" else forms.posted(visit)
    if visit.method == "POST" and forms.submit(form, lambda: visit.api.delete(_path(connection))) is not None:
        return Redirect(visit.link("settings", "integrations"), said=f"Disconnected {connection['name']}")
    return Page("integrations/disconnect.html", {"connection": connection, "form": form}, form.status)


def _told(visit: Visit, connection: Shown, said: str) -> Page | Redirect:
    """The page of a secret that has to be entered at the provider, or that of the connection."""
    if "webhook_secret" in connection:
        return Page("integrations/made.html", {"connection": connection, "said": said})
    return Redirect(_address(visit, connection), said=said)


def _form(form: Form, provider: str, connection: Shown | None) -> Page:
    values = {
        "form": form,
        "provider": choices.provider(provider),
        "secrets": registry.provider(provider).secret_fields,
        "words": _words(provider),
        "connection": connection,
    }
    return Page("integrations/form.html", values, form.status)


def _words(provider: str) -> _Words:
    secret = registry.provider(provider).secret_fields[0].replace("_", " ").capitalize()
    return _WORDS.get(provider) or _Words(secret, "", _SWITCHES)


def _names(provider: str) -> list[str]:
    return ["name", "success_redirect_url", *_words(provider).options]


def _body(form: Form, provider: str) -> dict[str, Any]:
    """The API's body: secrets that were typed, and the fields of the form."""
    secrets = {name: form.value(name).strip() for name in registry.provider(provider).secret_fields}
    options = {name: form.is_on(name) for name in _words(provider).options}
    texts = {name: form.value(name).strip() or None for name in ("name", "success_redirect_url")}
    return {**texts, **options, **{name: secret for name, secret in secrets.items() if secret}}


def _path(connection: Shown, *more: str) -> str:
    return path_of("payment_providers", connection["code"], *more)


def _address(visit: Visit, connection: Shown) -> str:
    return visit.link("settings", "integrations", connection["lago_id"])
