"""What signs webhooks: the public key, the organization's HMAC key, and secrets of endpoints. A key is shown once."""

from chalicelib.console import forms
from chalicelib.console.forms import Form
from chalicelib.console.views import webhooks
from chalicelib.console.visit import Page, Visit
from chalicelib.features.organizations import hmac_keys


def index(visit: Visit) -> Page:
    """How messages are signed, with the public key."""
    answer = visit.api.get("/webhooks/json_public_key")
    return Page("webhooks/signatures.html", {"public_key": answer["webhook"]["public_key"]})


def show_hmac_key(visit: Visit) -> Page:
    """The HMAC key, whole for whoever asks first."""
    form = Form()
    if visit.method == "POST":
        # To look marks the key as shown, so it is an act, though the API's clients do it by GET.
        answer = forms.submit(form, lambda: visit.api.get("/organizations/hmac_key"))
        if answer is not None:
            return _key(answer["organization"]["hmac_key"], is_rotated=False)
    return Page("webhooks/hmac_key_ask.html", {"form": form, "rotates": False}, form.status)


def rotate_hmac_key(visit: Visit) -> Page:
    """A new HMAC key, this once."""
    form = Form()
    if visit.method == "POST":
        answer = forms.submit(form, lambda: visit.api.post("/organizations/rotate_hmac_key"))
        if answer is not None:
            return _key(answer["organization"]["hmac_key"], is_rotated=True)
    return Page("webhooks/hmac_key_ask.html", {"form": form, "rotates": True}, form.status)


def _key(hmac_key: str, *, is_rotated: bool) -> Page:
    is_masked = hmac_key.startswith(hmac_keys.MASK)
    return Page("webhooks/hmac_key.html", {"hmac_key": hmac_key, "is_masked": is_masked, "is_rotated": is_rotated})


def rotate_secret(visit: Visit) -> Page:
    """A new secret of an endpoint, this once."""
    endpoint, form = webhooks.found(visit), Form()
    name = webhooks.name_of(endpoint)
    if visit.method == "POST":
        answer = forms.submit(form, lambda: visit.api.post(webhooks.path(visit, "rotate_secret")))
        if answer is not None:
            values = {"endpoint": answer["webhook_endpoint"], "name": name, "is_rotated": True}
            return Page("webhooks/made.html", values)
    return Page("webhooks/rotate_secret.html", {"form": form, "endpoint": endpoint, "name": name}, form.status)
