"""API keys: the list, and making, rotating and revoking one. Keys live in real time, also those of sandboxes."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.console import forms, texts
from chalicelib.console.forms import Form
from chalicelib.console.visit import Page, Redirect, Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.organizations import api_keys
from chalicelib.features.organizations.api_keys import NewKey
from chalicelib.platform.ids import ApiKeyId
from chalicelib.platform.settings import settings

# Time for which a rotated key goes on beside the new one, by the form's value.
_OVERLAPS = {
    "none": timedelta(),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}


def index(visit: Visit) -> Page:
    """All keys, with what else a client needs."""
    return Page("api_keys/index.html", _listed(visit))


def _listed(visit: Visit) -> dict[str, object]:
    keys = api_keys.of_organization(visit.organization.id)
    return {"keys": keys, "real_now": visit.real_now, "endpoint": f"{settings().public_url}/api/v1"}


def new(visit: Visit) -> Page:
    """A new key."""
    form = forms.posted(visit) if visit.method == "POST" else Form()
    if visit.method == "POST":
        expires_at = _expiry(visit, form)
        made = None if form.errors else forms.submit(form, lambda: _created(visit, form, expires_at))
        if made is not None:
            return _shown(visit, made)
    return Page("api_keys/new.html", {"form": form}, form.status)


def _created(visit: Visit, form: Form, expires_at: datetime | None) -> NewKey:
    return api_keys.create(
        visit.organization.ref,
        form.value("name"),
        expires_at=expires_at,
        request_id=forms.request_id(visit),
        now=visit.real_now,
    )


def _expiry(visit: Visit, form: Form) -> datetime | None:
    """The end of the day that was chosen, in the organization's zone; what is no later day is refused."""
    text = form.value("expires_on")
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        day = date.min
    zone = ZoneInfo(visit.organization.timezone)
    end = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) if day > date(1900, 1, 1) else None
    if end is None or end <= visit.real_now:
        form.mark("expires_on", ErrorCode.INVALID_DATE)
    return end


def rotate(visit: Visit) -> Page:
    """A new key in the place of an old one."""
    old = api_keys.get(visit.organization.id, ApiKeyId(visit.path["id"]))
    form = forms.posted(visit) if visit.method == "POST" else Form(values={"overlap": ["day"]})
    if visit.method == "POST":
        overlap = _OVERLAPS.get(form.value("overlap"))
        if overlap is None:
            form.mark("overlap", ErrorCode.VALUE_IS_INVALID)
        else:
            made = forms.submit(form, lambda: _rotated(visit, old.id, overlap))
            if made is not None:
                return _shown(visit, made)
    return Page("api_keys/rotate.html", {"form": form, "key": old}, form.status)


def _rotated(visit: Visit, key_id: ApiKeyId, overlap: timedelta) -> NewKey:
    ref, request_id = visit.organization.ref, forms.request_id(visit)
    return api_keys.rotate(ref, key_id, overlap=overlap, request_id=request_id, now=visit.real_now)


def _shown(visit: Visit, made: NewKey) -> Page:
    """The key itself, this once; the list behind the dialog has it too."""
    return Page("api_keys/made.html", {"made": made, **_listed(visit)})


def revoke(visit: Visit) -> Page | Redirect:
    """The end of a key, by typing its name."""
    old = api_keys.get(visit.organization.id, ApiKeyId(visit.path["id"]))
    form = forms.posted(visit) if visit.method == "POST" else Form()
    if visit.method == "POST":
        if form.value("confirmation") == old.name:
            api_keys.revoke(visit.organization.id, old.id)
            return Redirect(visit.link("api_keys"), said=f"{old.name} revoked")
        form.mark("confirmation", texts.CONFIRMATION_DOES_NOT_MATCH)
    return Page("api_keys/revoke.html", {"form": form, "key": old}, form.status)
