"""API keys: shown once, rotated with an overlap, revoked by name."""

import re
from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.features.organizations import api_keys as service
from chalicelib.platform import api_keys, auth, clock
from chalicelib.platform.clock import utc_now
from tests.support import capacity
from tests.support.console import Shown, Visitor, member_of
from tests.support.story import Story


def key_in(shown: Shown) -> str:
    """The key that a page shows."""
    found = re.search(r"tg_[0-9a-f]{48}", shown.text)
    assert found is not None, shown.words
    return found[0]


def made(visitor: Visitor, name: str = "Production", **form: str) -> str:
    return key_in(visitor.post("api_keys", "new", form={"name": name, "request_id": name, **form}))


def answers(api_key: str) -> bool:
    """Whether the API takes a key, as far as a process knows that remembers none."""
    auth.forget()
    return Story(api_key).call("GET", "/organizations").status == 200


def id_of(visitor: Visitor, api_key: str) -> str:
    keys = service.of_organization(visitor.story.ref.id)
    return next(each.id for each in keys if each.digest == api_keys.digest_of(api_key))


def test_a_key_is_shown_once_and_works(visitor: Visitor):
    key = made(visitor)
    assert answers(key)
    shown = visitor.get("api_keys")
    assert f"Production …{key[-4:]}" in shown.words
    assert key not in shown.text


def test_the_first_key_is_listed(visitor: Visitor):
    assert f"First key …{visitor.story.api_key[-4:]}" in visitor.get("api_keys").words


def test_a_key_of_an_earlier_version_is_listed_once_it_is_used(visitor: Visitor):
    organization = visitor.story.ref
    key = auth.new_key()
    row = api_keys.KeyRow(
        pk=f"apikey#{api_keys.digest_of(key)}",
        sk="-",
        organization_id=organization.id,
        sandbox=organization.sandbox,
        created_at=utc_now(),
    )
    row.create().alone()
    assert f"…{key[-4:]}" not in visitor.get("api_keys").words
    assert answers(key)
    assert answers(key)
    assert f"First key …{key[-4:]}" in visitor.get("api_keys").words


def test_a_second_click_makes_one_key_the_one_shown_last(visitor: Visitor):
    first, second = made(visitor), made(visitor)
    assert len(service.of_organization(visitor.story.ref.id)) == 2
    assert not answers(first)
    assert answers(second)
    again = visitor.post("api_keys", "new", form={"name": "Production", "request_id": "Production"})
    assert again.status == 409
    assert answers(second)


def test_a_rotated_key_works_beside_the_new_one_until_its_end(visitor: Visitor, monkeypatch):
    old = made(visitor)
    shown = visitor.post("api_keys", id_of(visitor, old), "rotate", form={"overlap": "hour", "request_id": "r"})
    new = key_in(shown)
    assert answers(old)
    assert answers(new)
    later = utc_now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr(clock, "utc_now", lambda: later)
    assert not answers(old)
    assert answers(new)
    names = [each.name for each in service.of_organization(visitor.story.ref.id)]
    assert sorted(names) == ["First key", "Production", "Production"]


def test_an_overlap_makes_no_key_live_longer(visitor: Visitor):
    old = id_of(visitor, made(visitor))
    visitor.post("api_keys", old, "rotate", form={"overlap": "hour", "request_id": "a"})
    before = service.get(visitor.story.ref.id, old).expires_at
    visitor.post("api_keys", old, "rotate", form={"overlap": "week", "request_id": "b"})
    assert service.get(visitor.story.ref.id, old).expires_at == before
    assert visitor.post("api_keys", old, "rotate", form={"overlap": "ever"}).status == 422


def test_a_revoked_key_is_refused_by_its_name_and_ends(visitor: Visitor):
    key = made(visitor)
    key_id = id_of(visitor, key)
    wrong = visitor.post("api_keys", key_id, "revoke", form={"confirmation": "production"})
    assert wrong.status == 422
    assert answers(key)
    assert visitor.post("api_keys", key_id, "revoke", form={"confirmation": "Production"}).status == 303
    assert not answers(key)
    assert visitor.post("api_keys", key_id, "revoke", form={"confirmation": "Production"}).status == 404
    service.revoke(visitor.story.ref.id, key_id)
    assert timedelta(seconds=30) >= limits.KEY_CACHE


def test_a_key_may_end_by_itself(visitor: Visitor, monkeypatch):
    tomorrow = (utc_now() + timedelta(days=1)).date()
    key = made(visitor, expires_on=tomorrow.isoformat())
    assert answers(key)
    monkeypatch.setattr(clock, "utc_now", lambda: service_now)
    service_now = utc_now() + timedelta(days=2)
    assert not answers(key)


@pytest.mark.parametrize("day", ["2020-01-01", "never", "0001-01-01", "9999-12-31"])
def test_an_end_in_the_past_is_refused(visitor: Visitor, day):
    answer = visitor.post("api_keys", "new", form={"name": "x", "expires_on": day, "request_id": "x"})
    assert answer.status == 422
    assert "invalid_date" in answer.words


def test_a_name_is_needed_and_is_text(visitor: Visitor):
    answer = visitor.post("api_keys", "new", form={"name": "", "request_id": "x"})
    assert answer.status == 422
    assert 'id="f-name-error"' in answer.text
    made(visitor, "<script>alert(1)</script>")
    assert "<script>alert" not in visitor.get("api_keys").text


def test_keys_of_others_are_not_there(visitor: Visitor):
    other = member_of(Story.begin(at=None), "eve@example.com")
    (key,) = service.of_organization(other.story.ref.id)
    assert visitor.get("api_keys", key.id, "rotate").status == 404
    assert visitor.post("api_keys", key.id, "revoke", form={"confirmation": key.name}).status == 404


def test_the_list_costs_few_requests(visitor: Visitor):
    with capacity.counting() as meter:
        visitor.get("api_keys")
    assert meter.total <= 8
