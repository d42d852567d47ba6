"""Memberships: who belongs to which organization, and removing a member."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.features.members import invitations, service, sessions, store
from chalicelib.features.members.records import Membership
from chalicelib.platform.ids import OrganizationId, UserId, new_id
from chalicelib.platform.unit import Unit
from tests.support.capacity import counting
from tests.support.people import HOW, NOW, PASSWORD, Company, log_in

SECOND = timedelta(seconds=1)


def remove(company, who, *, by):
    service.remove(company.ref.id, who.user.id, by=by.user.id, now=NOW)


def test_members_are_listed_in_the_order_in_which_they_came(acme):
    acme.first()
    acme.member("zed@acme.example", now=NOW + SECOND)
    acme.member("bob@acme.example", now=NOW + 2 * SECOND)
    with counting() as meter:
        found = service.members_of(acme.ref.id)
    assert meter.requests == {"query": 1, "batch_get_item": 1}
    assert [each.email for each in found] == ["ann@acme.example", "zed@acme.example", "bob@acme.example"]
    assert [each.joined_at for each in found] == [NOW, NOW + SECOND, NOW + 2 * SECOND]
    assert {each.organization_id for each in found} == {acme.ref.id}


def test_a_user_belongs_to_several_organizations(acme):
    ann = acme.first()
    other = Company.founded("Other", "zoe@other.example")
    assert other.emails() == []
    other.first()
    other.joined_by(ann.user, now=NOW + SECOND)
    with counting() as meter:
        found = service.memberships_of(ann.user.id)
    assert meter.requests == {"query": 1}
    assert [each.organization_id for each in found] == [acme.ref.id, other.ref.id]
    assert acme.seen(ann).membership.organization_id == acme.ref.id
    assert other.seen(ann).membership.organization_id == other.ref.id
    assert other.emails() == ["zoe@other.example", "ann@acme.example"]


def test_a_removed_member_of_one_organization_is_out_at_the_next_request(acme):
    ann, bob = acme.first(), acme.member("bob@acme.example")
    again = log_in("bob@acme.example")
    remove(acme, bob, by=ann)
    assert acme.seen(bob) is None
    assert acme.seen(again) is None
    assert acme.emails() == ["ann@acme.example"]
    assert service.memberships_of(bob.user.id) == []
    assert sessions.sessions_of(bob.user.id, now=NOW) == []


def test_a_removed_member_of_several_stays_signed_in_at_the_others(acme):
    ann = acme.first()
    other = Company.founded("Other", "zoe@other.example")
    zoe = other.first()
    acme.joined_by(zoe.user)
    remove(acme, zoe, by=ann)
    assert acme.seen(zoe).membership is None
    assert other.seen(zoe).membership is not None


def test_a_removed_member_has_an_account_and_can_be_invited_again(acme):
    ann, bob = acme.first(), acme.member("bob@acme.example")
    remove(acme, bob, by=ann)
    back = log_in("bob@acme.example")
    assert acme.seen(back).membership is None
    acme.joined_by(back.user)
    assert acme.seen(back).membership is not None


def test_removing_twice_removes_once(acme):
    ann, bob = acme.first(), acme.member("bob@acme.example")
    remove(acme, bob, by=ann)
    with pytest.raises(NotFound, match="membership_not_found"):
        remove(acme, bob, by=ann)
    assert acme.emails() == ["ann@acme.example"]


def test_nobody_removes_themselves(acme):
    ann = acme.first()
    with pytest.raises(NotAllowed, match="cannot_revoke_own_membership"):
        remove(acme, ann, by=ann)
    assert acme.seen(ann) is not None


def test_nobody_removes_a_member_of_an_organization_of_others(acme):
    acme.first()
    bob = acme.member("bob@acme.example")
    zoe = Company.founded("Other", "zoe@other.example").first()
    for who in (bob, zoe):
        with pytest.raises(NotFound, match="membership_not_found"):
            remove(acme, who, by=zoe if who is bob else bob)
    assert len(acme.emails()) == 2


def test_the_last_member_stays(acme):
    ann, bob = acme.first(), acme.member("bob@acme.example")
    remove(acme, ann, by=bob)
    with pytest.raises(NotFound):  # Whoever is no member any more removes nobody.
        remove(acme, bob, by=ann)
    with pytest.raises(NotAllowed):
        remove(acme, bob, by=bob)
    assert acme.emails() == ["bob@acme.example"]


def test_a_removal_takes_back_an_open_invitation_of_the_same_email(aws):
    nameless = Company.founded(email=None)
    token = nameless.invite("bob@acme.example")
    bob = invitations.accept(nameless.first_token, PASSWORD, email="bob@acme.example", **HOW, now=NOW)
    ann = nameless.member("ann@acme.example")
    assert invitations.find(token) is not None
    remove(nameless, bob, by=ann)
    assert invitations.find(token) is None
    assert invitations.pending_of(nameless.ref.id) == []


def test_digits_that_another_organization_has_too_are_refused(acme):
    ann = acme.first()
    twin = OrganizationId(f"{new_id()[:-8]}{acme.suffix}")
    membership = Membership(
        organization_id=twin, user_id=ann.user.id, email=ann.user.email, joined_at=NOW, last_seen_at=NOW
    )
    with pytest.raises(Invalid) as refused:
        Unit(store.join_actions(membership)).commit()
    assert refused.value.details == {"email": ["value_already_exist"]}
    assert acme.seen(ann).membership.organization_id == acme.ref.id
    with pytest.raises(NotFound):
        service.remove(twin, UserId("somebody"), by=ann.user.id, now=NOW)


def test_the_number_of_items_that_a_membership_costs_is_small(acme):
    ann, bob = acme.first(), acme.member("bob@acme.example")
    with counting() as meter:
        remove(acme, bob, by=ann)
    assert meter.requests == {"query": 1, "get_item": 1, "transact_write_items": 1}
    with counting() as meter:
        invitations.pending_of(acme.ref.id)
    assert meter.requests == {"query": 1}
