"""Secrets at rest: the key of an organization's webhook signatures stands nowhere in plain text, and is never another one's."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from chalicelib.features.organizations import hmac_keys, store
from chalicelib.features.organizations import service as organizations
from chalicelib.platform import aws as clients
from chalicelib.platform.ids import key
from chalicelib.platform.settings import settings
from chalicelib.platform.values import from_item
from tests.support.items import core
from tests.support.story import Story

_OLD_KEY = "0123456789abcdef" * 4


def _whole_table() -> str:
    pages = clients.client("dynamodb").get_paginator("scan").paginate(TableName=settings().core_table)
    return repr([from_item(item) for page in pages for item in page["Items"]])


def _as_it_was_before(story: Story) -> str:
    """An organization of an earlier version: its key stands in its record."""
    organization_id = story.ref.id
    pk, sk = key(organization_id, "organization"), "-"
    item = core.get(pk, sk)
    core.put({**item, "record": {**item["record"], "hmac_key": _OLD_KEY}}).alone()
    hmac_keys.forget()
    return organization_id


def test_a_key_is_made_at_its_first_use_and_kept_encrypted(story):
    organization_id = story.ref.id
    made = organizations.hmac_key(organization_id)
    hmac_keys.forget()
    assert organizations.hmac_key(organization_id) == made
    assert len(made) == 64
    assert made not in _whole_table()


def test_an_old_key_stays_the_key_and_goes_from_the_record_with_its_first_use(story):
    organization_id = _as_it_was_before(story)
    assert _OLD_KEY in _whole_table()
    assert organizations.hmac_key(organization_id) == _OLD_KEY
    assert _OLD_KEY not in _whole_table()
    hmac_keys.forget()
    assert organizations.hmac_key(organization_id) == _OLD_KEY
    assert story.organization(name="Changed")["name"] == "Changed"


def test_an_old_key_goes_from_the_record_when_the_organization_is_read(story):
    organization_id = _as_it_was_before(story)
    story.ok("GET", "/organizations")
    assert _OLD_KEY not in _whole_table()
    assert organizations.hmac_key(organization_id) == _OLD_KEY


def test_a_change_that_had_read_the_old_record_does_not_bring_the_key_back(story):
    organization_id = _as_it_was_before(story)
    read_before = store.get(organization_id)
    organizations.hmac_key(organization_id)
    assert store.get(organization_id).version == read_before.version + 1
    assert _OLD_KEY not in _whole_table()


@pytest.mark.parametrize("old", [False, True], ids=["a new key", "an old key"])
def test_who_asks_first_at_once_gets_one_key(story, old):
    organization_id = _as_it_was_before(story) if old else story.ref.id
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(hmac_keys.read, [organization_id] * 6))
    hmac_keys.forget()
    assert found == {organizations.hmac_key(organization_id)}


def test_a_key_under_another_organization_cannot_be_read(story):
    mine = organizations.hmac_key(story.ref.id)
    other = Story.begin(name="Other").ref.id
    item = core.get(key(story.ref.id, "hmac-key"), "-")
    core.put({**item, "pk": key(other, "hmac-key")}).alone()
    hmac_keys.forget()
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        organizations.hmac_key(other)
    assert organizations.hmac_key(story.ref.id) == mine


@pytest.mark.parametrize(
    ("key", "local", "accepted"),
    [
        pytest.param("x" * 15, "0", False, id="too short"),
        pytest.param("x" * 16, "0", True, id="long enough"),
        pytest.param("", "0", True, id="unset: the admin route is closed"),
        pytest.param("short", "1", True, id="on the local stack"),
    ],
)
def test_admin_keys_shorter_than_16_characters_are_refused_outside_the_local_stack(monkeypatch, key, local, accepted):
    monkeypatch.setenv("ADMIN_API_KEY", key)
    monkeypatch.setenv("LOCAL", local)
    settings.cache_clear()
    try:
        if accepted:
            assert settings().admin_api_key == key
        else:
            with pytest.raises(ValidationError, match="ADMIN_API_KEY needs at least 16 characters"):
                settings()
    finally:
        settings.cache_clear()


def test_a_short_admin_key_is_not_deployed(monkeypatch, capsys):
    from infra import deploy

    monkeypatch.setenv("ADMIN_API_KEY", "x" * 15)
    monkeypatch.setattr("boto3.session.Session", None)
    assert deploy.main() == 1
    assert "ADMIN_API_KEY needs at least 16 characters" in capsys.readouterr().err
