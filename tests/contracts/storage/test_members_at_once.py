"""Members at the same instant, on Amazon's own DynamoDB Local: of what excludes another thing, one comes true."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.domain.errors import Invalid, NotFound, Unauthorized
from chalicelib.features.members import invitations, passwords, resets, service, sessions
from tests.support.items import core
from tests.support.people import (
    HOW,
    NOW,
    OTHER_PASSWORD,
    PASSWORD,
    Company,
    all_at_once,
    cheap_hashes,
    log_in,
)

pytestmark = [pytest.mark.local_dynamodb, pytest.mark.xdist_group("local_dynamodb")]

ANN, BOB = "ann@acme.example", "bob@acme.example"
HOUR = timedelta(hours=1)


@pytest.fixture
def acme(tables: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """An organization whose first member has not come yet."""
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(minutes=2))  # Whatever else this machine has to do.
    with cheap_hashes():
        yield Company.founded()


def accept(token, password=PASSWORD):
    return invitations.accept(token, password, **HOW, now=NOW)


def invite(company, email=BOB):
    return invitations.invite(company.ref, company.name, email, now=NOW)


def remove(company, who, *, by):
    service.remove(company.ref.id, who.user.id, by=by.user.id, now=NOW)


def change(new, old, password):
    sessions.change_password(new.user, new.session, old, password, now=NOW)


def reset(token, password):
    return resets.use(token, password, **HOW, now=NOW)


def test_of_many_attempts_at_once_five_are_tried(acme, monkeypatch):
    acme.first()
    tried: list[str] = []
    real = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda known, given: tried.append(given) or real(known, given))
    found = all_at_once([lambda n=n: log_in(ANN, f"guess {n}") for n in range(16)])
    assert len(tried) == 5
    assert sorted(type(each).__name__ for each in found) == ["Invalid"] * 5 + ["TooManyAttempts"] * 11


def test_requests_of_one_page_note_one_use(acme):
    new = acme.first()
    found = all_at_once([lambda: acme.seen(new, after=HOUR)] * 6)
    assert all(each is not None for each in found)
    assert core.get(f"user#{new.user.id}", f"session#{new.session.id}")["last_used_at"] == "2026-10-19T15:20:07.123456Z"


def test_of_two_sessions_that_end_each_other_at_once_one_stays(acme):
    pair = [acme.first(), log_in(ANN)]
    found = all_at_once([lambda each=each: sessions.end_others(each.session) for each in pair])
    assert sorted(type(each) for each in found if each is not None) == [Unauthorized]
    assert [acme.seen(each) is not None for each in pair] == [each is None for each in found]


def test_two_new_passwords_at_once_leave_one_of_them_and_its_session(acme):
    pair = [acme.first(), log_in(ANN)]
    words = [OTHER_PASSWORD, "nine loud mountains"]
    how = zip(pair, words, strict=True)
    found = all_at_once([lambda each=each, word=word: change(each, PASSWORD, word) for each, word in how])
    won = [each is None for each in found]
    assert sorted(won) == [False, True]
    assert [acme.seen(each) is not None for each in pair] == won
    assert log_in(ANN, words[won.index(True)]).user == pair[0].user


def test_of_members_who_all_remove_each_other_at_once_one_stays(acme):
    people = [acme.first(), acme.member("bob@acme.example"), acme.member("cid@acme.example")]
    pairs = [(one, two) for one in people for two in people if one is not two]
    found = all_at_once([lambda one=one, two=two: remove(acme, one, by=two) for one, two in pairs])
    assert {type(each) for each in found if each is not None} == {NotFound}
    assert len(acme.emails()) >= 1
    assert len(acme.emails()) == 3 - found.count(None)


def test_of_two_removals_from_two_organizations_at_once_the_later_ends_the_sessions(acme):
    ann = acme.first()
    other = Company.founded("Other", "zoe@other.example")
    zoe, bob = other.first(), acme.member("bob@acme.example")
    other.joined_by(bob.user)
    both = [lambda: remove(acme, bob, by=ann), lambda: remove(other, bob, by=zoe)]
    assert all_at_once(both) == [None, None]
    assert acme.seen(bob) is None


def test_of_many_invitations_of_one_email_at_once_one_is_made(acme):
    found = all_at_once([lambda: invite(acme)] * 8)
    assert sorted(type(each).__name__ for each in found) == ["Invalid"] * 7 + ["Invited"]
    (made,) = [each for each in found if not isinstance(each, Invalid)]
    assert invitations.find(made.token).email == BOB


def test_of_many_new_links_at_once_one_leads_in(acme):
    old = invite(acme)
    found = all_at_once([lambda: invitations.renew(acme.ref.id, old.invitation.id, now=NOW)] * 4)
    assert sum(invitations.find(each.token) is not None for each in [old, *found]) == 1
    assert len(invitations.pending_of(acme.ref.id)) == 2


def test_acceptance_and_revocation_at_once_agree(acme):
    made = invite(acme)
    came, gone = all_at_once(
        [lambda: accept(made.token), lambda: invitations.revoke(acme.ref.id, made.invitation.id, now=NOW)]
    )
    assert isinstance(came, NotFound) != isinstance(gone, NotFound)
    assert acme.emails() == ([] if isinstance(came, NotFound) else [BOB])


def test_many_clicks_at_once_make_one_user_and_one_member(acme, monkeypatch):
    monkeypatch.setattr(limits, "LOGIN_FAILURES_PER_EMAIL", 100)
    token = acme.invite(BOB)
    found = all_at_once([lambda: accept(token)] * 8)
    assert len({each.user.id for each in found}) == 1
    assert len({each.cookie for each in found}) == 8
    assert all(acme.seen(each).membership is not None for each in found)
    assert acme.emails() == [BOB]


def test_of_two_passwords_at_once_one_is_chosen(acme):
    token = acme.invite(BOB)
    words = [PASSWORD, OTHER_PASSWORD]
    found = all_at_once([lambda word=word: accept(token, word) for word in words])
    came = [not isinstance(each, NotFound) for each in found]
    assert sorted(came) == [False, True], found
    assert log_in(BOB, words[came.index(True)], address="192.0.2.99").user.email == BOB


def test_invitations_of_one_email_by_two_organizations_at_once_make_one_user(acme):
    other = Company.founded("Other", "zoe@other.example")
    links = [acme.invite(BOB), other.invite(BOB)]
    found = all_at_once([lambda token=token: accept(token) for token in links])
    refused = [each for each in found if isinstance(each, Invalid)]
    (came,) = [each for each in found if not isinstance(each, Invalid)]
    assert [each.details for each in refused] == [{"email": ["value_already_exist"]}]
    assert len(service.memberships_of(came.user.id)) == 1
    left = links[found.index(refused[0])]
    invitations.join(left, came.user, now=NOW)
    assert len(service.memberships_of(came.user.id)) == 2


def test_joining_at_once_is_joining_once(acme):
    bob = acme.member(BOB)
    other = Company.founded("Other", "zoe@other.example")
    token = other.invite(BOB)
    found = all_at_once([lambda: invitations.join(token, bob.user, now=NOW)] * 6)
    assert found == [found[0]] * 6
    assert other.emails() == [BOB]


def test_of_two_passwords_by_one_reset_link_at_once_one_is_chosen(acme):
    acme.first()
    token = resets.make_link(ANN, now=NOW)
    words = [OTHER_PASSWORD, "nine loud mountains"]
    found = all_at_once([lambda word=word: reset(token, word) for word in words])
    came = [not isinstance(each, NotFound) for each in found]
    assert sorted(came) == [False, True]
    assert log_in(ANN, words[came.index(True)]).user.email == ANN
