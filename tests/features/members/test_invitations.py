"""Invitations: a link leads its e-mail into an organization, once."""

import hashlib
import re
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.members import invitations, service, sessions
from tests.support.capacity import counting
from tests.support.items import core
from tests.support.people import HOW, NOW, OTHER_PASSWORD, PASSWORD, Company, log_in

MINUTE, MOMENT = timedelta(minutes=1), timedelta(microseconds=1)
BOB = "bob@acme.example"


def accept(token, password=PASSWORD, *, after=timedelta(0), **how):
    return invitations.accept(token, password, **{**HOW, **how}, now=NOW + after)


def invite(company, email=BOB):
    return invitations.invite(company.ref, company.name, email, now=NOW)


def test_the_first_member_comes_by_the_link_that_made_the_organization(acme):
    found = invitations.find(acme.first_token)
    assert found.model_dump() == {
        "organization_id": acme.ref.id,
        "organization_name": "Acme",
        "email": "ann@acme.example",
        "has_account": False,
    }
    assert [each.email for each in invitations.pending_of(acme.ref.id)] == ["ann@acme.example"]
    ann = accept(acme.first_token)
    assert ann.user.email == "ann@acme.example"
    assert acme.seen(ann).membership.joined_at == NOW
    assert acme.emails() == ["ann@acme.example"]
    assert invitations.pending_of(acme.ref.id) == []
    assert log_in("ann@acme.example").user == ann.user


def test_a_link_is_40_hex_digits_below_the_public_address(acme):
    invited = invite(acme)
    assert re.fullmatch("[0-9a-f]{40}", invited.token)
    assert invitations.url(invited.token) == f"http://127.0.0.1:8000/invitation/{invited.token}"
    assert invited.invitation.token_hash == hashlib.sha256(invited.token.encode()).hexdigest()


def test_an_invitation_has_no_expiry(acme):
    token = acme.invite(BOB)
    assert accept(token, after=timedelta(days=3650)).user.email == BOB


def test_an_invitation_is_one_transaction_and_reads_nothing(acme):
    with counting() as meter:
        invite(acme)
    assert meter.requests == {"transact_write_items": 1}


@pytest.mark.parametrize("written", [BOB, " BOB@Acme.example "])
def test_an_email_has_one_pending_invitation(acme, written):
    acme.invite(BOB)
    with pytest.raises(Invalid) as refused:
        invite(acme, written)
    assert refused.value.details == {"email": ["value_already_exist"]}
    assert sorted(each.email for each in invitations.pending_of(acme.ref.id)) == ["ann@acme.example", BOB]


def test_a_member_is_not_invited(acme):
    acme.member(BOB)
    with pytest.raises(Invalid) as refused:
        invite(acme)
    assert refused.value.details == {"email": ["value_already_exist"]}


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("", "value_is_mandatory"),
        ("  ", "value_is_mandatory"),
        ("bob", "invalid_email_format"),
        ("bob@acme", "invalid_email_format"),
        ("bob@acme.example, cid@acme.example", "invalid_email_format"),
        ("b ob@acme.example", "invalid_email_format"),
        ("b" * 250 + "@acme.example", "value_is_too_long"),
    ],
)
def test_what_is_no_single_address_is_not_invited(acme, email, code):
    with pytest.raises(Invalid) as refused:
        invite(acme, email)
    assert refused.value.details == {"email": [code]}


@pytest.mark.parametrize("email", ["a#b@acme.example", "ü" * 120 + "@acme.example", "%~+'\"@acme.example"])
def test_odd_addresses_are_invited_and_come(acme, email):
    assert accept(acme.invite(email)).user.email == email
    assert email in [each.email for each in service.members_of(acme.ref.id)]
    assert log_in(email).user.email == email


# New links, and taking back.


def test_a_new_link_replaces_the_old_one(acme):
    old = invite(acme)
    new = invitations.renew(acme.ref.id, old.invitation.id, now=NOW + MINUTE)
    assert new.token != old.token
    assert new.invitation.id == old.invitation.id
    assert invitations.find(old.token) is None
    with pytest.raises(NotFound, match="invite_not_found"):
        accept(old.token)
    assert accept(new.token).user.email == BOB


def test_a_revoked_invitation_leads_nowhere_and_its_email_can_be_invited_again(acme):
    old = invite(acme)
    invitations.revoke(acme.ref.id, old.invitation.id, now=NOW)
    assert invitations.find(old.token) is None
    for act in (invitations.revoke, invitations.renew):
        with pytest.raises(NotFound, match="invite_not_found"):
            act(acme.ref.id, old.invitation.id, now=NOW)
    with pytest.raises(NotFound):
        accept(old.token)
    assert accept(acme.invite(BOB)).user.email == BOB


def test_another_organization_neither_sees_nor_changes_an_invitation(acme):
    made = invite(acme)
    other = Company.founded("Other", "zoe@other.example")
    assert [each.email for each in invitations.pending_of(other.ref.id)] == ["zoe@other.example"]
    for act in (invitations.revoke, invitations.renew):
        with pytest.raises(NotFound):
            act(other.ref.id, made.invitation.id, now=NOW)
    assert invitations.find(made.token) is not None


@pytest.mark.parametrize("invitation_id", ["", "x", "#", "x" * 2000])
def test_an_invitation_that_is_none_is_not_found(acme, invitation_id):
    with pytest.raises(NotFound):
        invitations.renew(acme.ref.id, invitation_id, now=NOW)


def test_an_accepted_invitation_is_neither_renewed_nor_revoked(acme):
    made = invite(acme)
    accept(made.token)
    for act in (invitations.revoke, invitations.renew):
        with pytest.raises(NotFound):
            act(acme.ref.id, made.invitation.id, now=NOW)


# Accepting.


@pytest.mark.parametrize("token", ["", "x", "0" * 40, "0" * 39, "A" * 40, "0" * 40 + "\n", "\ud800" * 40, "é" * 40])
def test_a_token_that_is_none_leads_nowhere(acme, token):
    assert invitations.find(token) is None
    with pytest.raises(NotFound, match="invite_not_found"):
        accept(token)
    with pytest.raises(NotFound, match="invite_not_found"):
        invitations.join(token, acme.first().user, now=NOW)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "value_is_too_short"),
        ("x" * 129, "value_is_too_long"),
        ("password1234", "password_too_weak"),
        (BOB, "password_too_weak"),
        ("Acme Acme Acme", "password_too_weak"),
    ],
)
def test_a_password_that_is_refused_leaves_the_link_as_it_was(acme, password, code):
    token = acme.invite(BOB)
    with pytest.raises(Invalid) as refused:
        accept(token, password)
    assert refused.value.details == {"password": [code]}
    assert accept(token).user.email == BOB


def test_a_second_click_begins_another_session_of_the_same_user(acme):
    token = acme.invite(BOB)
    one, two = accept(token), accept(token, after=MINUTE - MOMENT)
    assert one.user == two.user
    assert acme.seen(one).membership == acme.seen(two).membership
    assert acme.emails() == [BOB]
    assert invitations.find(token) is None


@pytest.mark.parametrize(
    ("password", "after"), [(PASSWORD, MINUTE), (OTHER_PASSWORD, timedelta(0))], ids=["late", "another password"]
)
def test_a_used_link_leads_nowhere(acme, password, after):
    token = acme.invite(BOB)
    accept(token)
    with pytest.raises(NotFound, match="invite_not_found"):
        accept(token, password, after=after)
    assert log_in(BOB, address="192.0.2.99").user.email == BOB


def test_an_acceptance_is_one_transaction(acme):
    token = acme.invite(BOB)
    with counting() as meter:
        accept(token)
    assert meter.requests == {"get_item": 3, "transact_write_items": 1}


# An invitation without an e-mail: of the first member, where the organization has none.


def test_without_an_email_whoever_has_the_link_chooses_it(aws):
    company = Company.founded(email=None)
    assert invitations.find(company.first_token).email is None
    for email, code in ((None, "value_is_mandatory"), ("x", "invalid_email_format")):
        with pytest.raises(Invalid) as refused:
            accept(company.first_token, email=email)
        assert refused.value.details == {"email": [code]}
    came = accept(company.first_token, email=" Ann@Acme.example")
    assert company.emails() == ["ann@acme.example"]
    assert accept(company.first_token).user == came.user
    assert invitations.pending_of(company.ref.id) == []


def test_without_an_email_any_user_may_join(acme):
    company = Company.founded("Other", email=None)
    ann = acme.first()
    assert invitations.join(company.first_token, ann.user, now=NOW).email == "ann@acme.example"
    assert company.seen(ann).membership is not None


def test_an_email_that_is_given_does_not_count_where_the_invitation_names_one(acme):
    assert accept(acme.invite(BOB), email="eve@evil.example").user.email == BOB


def test_of_several_emails_of_an_organization_the_first_is_invited(aws):
    company = Company.founded(email=" Ann@Acme.example, office@acme.example")
    assert accept(company.first_token).user.email == "ann@acme.example"


def test_a_link_of_an_earlier_version_still_leads_in(acme):
    token = "ab" * 20
    core.put(
        {
            "pk": f"invitation#{hashlib.sha256(token.encode()).hexdigest()}",
            "sk": "-",
            "organization_id": acme.ref.id,
            "email": "",
            "status": "pending",
            "created_at": "2024-01-01T00:00:00.000000Z",
        }
    ).alone()
    assert invitations.find(token).organization_name == "Acme"
    assert accept(token, email=BOB).user.email == BOB
    assert acme.emails() == [BOB]


# Joining.


def test_an_email_that_has_an_account_joins_by_logging_in(acme):
    bob = acme.member(BOB)
    other = Company.founded("Other", "zoe@other.example")
    token = other.invite(BOB)
    assert invitations.find(token).has_account
    with pytest.raises(Invalid) as refused:
        accept(token, OTHER_PASSWORD)
    assert refused.value.details == {"email": ["value_already_exist"]}
    joined = invitations.join(token, bob.user, now=NOW + MINUTE)
    assert joined == other.seen(bob).membership
    assert (joined.organization_id, joined.joined_at) == (other.ref.id, NOW + MINUTE)
    assert acme.seen(bob) is not None
    assert log_in(BOB).user == bob.user


def test_joining_twice_is_joining_once(acme):
    bob = acme.member(BOB)
    other = Company.founded("Other", "zoe@other.example")
    token = other.invite(BOB)
    once = invitations.join(token, bob.user, now=NOW)
    assert invitations.join(token, bob.user, now=NOW + 100 * MINUTE) == once
    assert other.emails() == [BOB]


def test_nobody_joins_by_an_invitation_of_another_email(acme):
    cid = acme.member("cid@acme.example")
    other = Company.founded("Other", "zoe@other.example")
    token = other.invite(BOB)
    with pytest.raises(NotFound, match="invite_not_found"):
        invitations.join(token, cid.user, now=NOW)
    assert invitations.find(token) is not None
    assert other.emails() == []


def test_a_used_link_does_not_lead_a_removed_member_back(acme):
    ann = acme.first()
    zoe = Company.founded("Other", "zoe@other.example").first()
    token = acme.invite("zoe@other.example")
    invitations.join(token, zoe.user, now=NOW)
    service.remove(acme.ref.id, zoe.user.id, by=ann.user.id, now=NOW)
    with pytest.raises(NotFound, match="invite_not_found"):
        invitations.join(token, zoe.user, now=NOW)
    with pytest.raises(NotFound):
        accept(token, OTHER_PASSWORD)
    assert acme.emails() == ["ann@acme.example"]


def test_a_second_click_does_not_make_a_removed_member_one_again(acme):
    ann = acme.first()
    token = acme.invite(BOB)
    bob = accept(token)
    service.remove(acme.ref.id, bob.user.id, by=ann.user.id, now=NOW)
    again = accept(token)
    assert acme.seen(again).membership is None
    assert [each.id for each in sessions.sessions_of(bob.user.id, now=NOW)] == [again.session.id]


def test_a_member_who_has_another_link_uses_it_up(acme):
    nameless = Company.founded("Other", email=None)
    ann = acme.first()
    nameless.joined_by(ann.user)
    before = service.memberships_of(ann.user.id)
    invitations.join(nameless.first_token, ann.user, now=NOW + MINUTE)
    assert service.memberships_of(ann.user.id) == before
    assert invitations.find(nameless.first_token) is None
