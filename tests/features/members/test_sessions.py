"""Sessions: who is signed in, until when, and what ends a session at once."""

from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.domain.errors import Invalid, TooManyAttempts, Unauthorized
from chalicelib.features.members import passwords, service, sessions, store
from chalicelib.platform import dynamodb
from tests.support.capacity import counting
from tests.support.items import core
from tests.support.people import NOW, OTHER_PASSWORD, PASSWORD, Company, log_in

HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
ANN = "ann@acme.example"


def item_of(new):
    """A session's item."""
    return core.get(f"user#{new.user.id}", f"session#{new.session.id}")


def change(new, old=PASSWORD, password=OTHER_PASSWORD, *, after=timedelta(0)):
    sessions.change_password(new.user, new.session, old, password, now=NOW + after)


def test_a_request_is_known_by_one_consistent_request_of_three_items(acme):
    new = acme.first()
    with counting() as meter:
        found = acme.seen(new)
    assert meter.requests == {"batch_get_item": 1}
    assert meter.read_units == 3
    assert (found.user, found.session) == (new.user, new.session)
    assert (found.membership.organization_id, found.membership.email) == (acme.ref.id, ANN)


def test_a_request_that_reads_while_others_end_is_read_again(acme, monkeypatch):
    new, real, reads = acme.first(), store.signed_in, []

    def torn(*place):
        reads.append(place)
        found = real(*place)
        return found._replace(session=found.session.model_copy(update={"generation": 1})) if len(reads) == 1 else found

    monkeypatch.setattr(store, "signed_in", torn)
    assert acme.seen(new).session == new.session
    assert len(reads) == 2


def test_without_an_organization_in_the_address_there_is_no_membership(acme):
    new = acme.first()
    assert service.signed_in(new.cookie, None, now=NOW).membership is None


@pytest.mark.parametrize("suffix", ["", "00000000", "x" * 8, "ABCDEF01", "0" * 9, "#", "é" * 8])
def test_the_organization_of_another_is_no_membership(acme, suffix):
    new = acme.first()
    other = Company.founded("Other", "zoe@other.example")
    other.first()
    assert service.signed_in(new.cookie, suffix, now=NOW).membership is None
    assert other.seen(new).membership is None


def test_a_cookie_that_is_none_of_ours_is_nobody(acme):
    new, other = acme.first(), acme.member("bob@acme.example")
    user, token = new.cookie.split(".")
    wrong = ["", ".", user, token, f"{user}.", f"{user}.{token[:-1]}", f"{user}.{token}0", f"{user}.{token.upper()}"]
    wrong += [f"{other.user.id}.{token}", f"{user}.{'0' * 64}", f"{user}.{new.session.id}", f"{'0' * 36}.{token}"]
    wrong += [f"{user}.{token}\n", f"{user} .{token}", "\ud800", "x" * 10_000, f"{user}#.{token}"]
    assert [service.signed_in(cookie, acme.suffix, now=NOW) for cookie in wrong] == [None] * len(wrong)


def test_each_login_begins_a_session_of_its_own(acme):
    one, two = acme.first(), log_in(ANN)
    assert one.cookie != two.cookie
    assert one.session.csrf_secret != two.session.csrf_secret
    assert len(one.cookie.partition(".")[2]) == 64
    assert acme.seen(one) is not None
    assert acme.seen(two) is not None


@pytest.mark.parametrize(
    ("email", "password"),
    [
        pytest.param(ANN, "wrong", id="a wrong password"),
        pytest.param(ANN, "", id="none"),
        pytest.param(ANN, PASSWORD + " ", id="one letter more"),
        pytest.param("nobody@acme.example", PASSWORD, id="an unknown e-mail"),
        pytest.param("", PASSWORD, id="no e-mail"),
        pytest.param("\ud800" + "x#" * 5000, PASSWORD, id="what is no e-mail"),
        pytest.param(ANN, "x" * 1_000_000, id="a password without end"),
    ],
)
def test_whatever_is_wrong_is_refused_in_the_same_way(acme, email, password):
    acme.first()
    with pytest.raises(Invalid) as refused:
        log_in(email, password)
    assert refused.value.details == {"base": ["incorrect_login_or_password"]}


def test_an_unknown_email_costs_the_same_requests_and_one_hash_too(acme, monkeypatch):
    acme.first()
    hashes: list[object] = []
    real = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda known, given: hashes.append(known) or real(known, given))
    asked = []
    for email in (ANN, "nobody@acme.example"):
        with counting() as meter, pytest.raises(Invalid):
            log_in(email, "wrong")
        asked.append(dict(meter.requests))
    assert asked[0] == asked[1] == {"batch_get_item": 1, "transact_write_items": 1, "get_item": 2}
    assert [each is None for each in hashes] == [False, True]


def test_a_login_hashes_anew_when_parameters_have_grown(acme, monkeypatch):
    new = acme.first()
    before = store.account(new.user.id)
    log_in(ANN)
    assert store.account(new.user.id) == before
    monkeypatch.setattr(limits, "ARGON2_KIB", 16)
    passwords._hasher.cache_clear()
    acme.seen(new)
    assert store.account(new.user.id) == before  # Being signed in hashes nothing.
    log_in(ANN)
    after = store.account(new.user.id)
    assert "m=16," in after.password_hash
    assert acme.seen(new) is not None
    assert log_in(ANN).user == new.user


def test_a_password_that_was_chosen_meanwhile_is_not_hashed_over(acme):
    new = acme.first()
    old = store.account(new.user.id)
    change(new)
    with pytest.raises(dynamodb.ConditionFailed):
        store.replace_hash(old, passwords.hashed(PASSWORD)).alone()


# Until when.


@pytest.mark.parametrize(
    ("after", "there"), [(24 * HOUR - MOMENT, True), (24 * HOUR, False), (-HOUR, True)], ids=["last", "over", "before"]
)
def test_a_session_ends_24_hours_after_its_last_use(acme, after, there):
    assert (acme.seen(acme.first(), after=after) is not None) == there


def test_a_session_ends_after_14_days_however_it_is_used(acme):
    new = acme.first()
    end = timedelta(days=14)
    for n in range(1, 14 * 24, 12):
        assert acme.seen(new, after=n * HOUR) is not None
    assert acme.seen(new, after=end - MOMENT) is not None
    assert acme.seen(new, after=end) is None


def test_a_use_is_noted_once_an_hour_for_session_and_membership(acme):
    new = acme.first()
    with counting() as meter:
        acme.seen(new, after=HOUR - MOMENT)
    assert meter.write_units == 0
    with counting() as meter:
        found = acme.seen(new, after=HOUR)
    assert meter.requests == {"batch_get_item": 1, "update_item": 2}
    assert found.session.last_used_at == NOW + HOUR
    with counting() as meter:
        found = acme.seen(new, after=2 * HOUR - MOMENT)
    assert meter.write_units == 0
    assert found.session.last_used_at == found.membership.last_seen_at == NOW + HOUR
    assert [each.last_seen_at for each in service.members_of(acme.ref.id)] == [NOW + HOUR]


def test_an_item_expires_when_its_session_has_ended(acme):
    new = acme.first()
    assert item_of(new)["expires_at"] == int((NOW + 24 * HOUR).timestamp()) + 1
    acme.seen(new, after=20 * HOUR)
    assert item_of(new)["expires_at"] == int((NOW + 44 * HOUR).timestamp()) + 1
    for n in range(2, 17):
        acme.seen(new, after=n * 20 * HOUR)
    assert item_of(new)["expires_at"] == int((NOW + timedelta(days=14)).timestamp()) + 1


def test_a_use_that_comes_after_the_logout_does_not_bring_a_session_back(acme):
    new = acme.first()
    sessions.sign_out(new.session)
    with pytest.raises(dynamodb.ConditionFailed):
        store.note_session_use(new.session, NOW + HOUR).alone()
    assert acme.seen(new) is None


# What ends one.


def test_a_logout_ends_its_session_only_and_again_does_nothing(acme):
    one, two = acme.first(), log_in(ANN)
    for _ in range(2):
        sessions.sign_out(one.session)
    assert acme.seen(one) is None
    assert acme.seen(two) is not None


def test_ending_others_leaves_this_one(acme):
    one, two, bob = acme.first(), log_in(ANN), acme.member("bob@acme.example")
    for _ in range(2):
        sessions.end_others(two.session)
    assert [acme.seen(each) is not None for each in (one, two, bob)] == [False, True, True]
    assert [each.id for each in sessions.sessions_of(two.user.id, now=NOW)] == [two.session.id]
    with pytest.raises(Unauthorized):
        sessions.end_others(one.session)
    assert acme.seen(two) is not None


def test_the_sessions_of_a_user_are_the_live_ones_the_last_used_first(acme):
    old = acme.first()
    phone = log_in(ANN, after=2 * HOUR, browser="x" * 300, address="2001:db8::1")
    ended = log_in(ANN)
    sessions.sign_out(ended.session)
    acme.member("bob@acme.example")
    acme.seen(old, after=3 * HOUR)
    listed = sessions.sessions_of(old.user.id, now=NOW + 3 * HOUR)
    assert [each.id for each in listed] == [old.session.id, phone.session.id]
    assert (listed[1].browser, listed[1].address) == ("x" * 200, "2001:db8::1")
    assert [each.id for each in sessions.sessions_of(old.user.id, now=NOW + 26 * HOUR)] == [old.session.id]
    assert sessions.sessions_of(old.user.id, now=NOW + 27 * HOUR) == []


def test_another_password_ends_the_other_sessions(acme):
    one, two = acme.first(), log_in(ANN)
    change(one)
    assert acme.seen(one) is not None
    assert acme.seen(two) is None
    with pytest.raises(Invalid):
        log_in(ANN)
    assert log_in(ANN, OTHER_PASSWORD).user == one.user


def test_changing_a_password_twice_is_changing_it_once(acme):
    one = acme.first()
    change(one)
    later = log_in(ANN, OTHER_PASSWORD)
    change(one)
    assert acme.seen(one) is not None
    assert acme.seen(later) is not None


@pytest.mark.parametrize(
    ("old", "new", "details"),
    [
        ("wrong", OTHER_PASSWORD, {"old_password": ["incorrect_login_or_password"]}),
        (PASSWORD, "short", {"password": ["value_is_too_short"]}),
        (PASSWORD, "x" * 129, {"password": ["value_is_too_long"]}),
        (PASSWORD, "password1234", {"password": ["password_too_weak"]}),
        (PASSWORD, "ann@acme.example", {"password": ["password_too_weak"]}),
        (PASSWORD, "Acme Acme Acme", {"password": ["password_too_weak"]}),
    ],
)
def test_a_password_that_is_not_changed_is_still_the_one(acme, old, new, details):
    one, two = acme.first(), log_in(ANN)
    with pytest.raises(Invalid) as refused:
        change(one, old, new)
    assert refused.value.details == details
    assert acme.seen(two) is not None
    assert log_in(ANN).user == one.user


def test_whoever_finds_an_open_session_may_not_guess_its_password(acme):
    new = acme.first()
    for n in range(5):
        with pytest.raises(Invalid):
            change(new, f"guess {n}")
    with pytest.raises(TooManyAttempts):
        change(new)


def test_a_weak_new_password_is_no_failed_attempt(acme):
    new = acme.first()
    for _ in range(6):
        with pytest.raises(Invalid):
            change(new, PASSWORD, "password1234")
    change(new)


def test_an_ended_session_changes_no_password(acme):
    new = acme.first()
    sessions.sign_out(new.session)
    with pytest.raises(Unauthorized):
        change(new)
    assert log_in(ANN).user == new.user


def test_a_session_that_begins_with_the_old_password_while_it_changes_is_void(acme, monkeypatch):
    new = acme.first()
    real = sessions.opened

    def slow(account, **how):
        monkeypatch.setattr(sessions, "opened", real)
        change(new)
        return real(account, **how)

    monkeypatch.setattr(sessions, "opened", slow)
    late = log_in(ANN)
    assert acme.seen(late) is None
    assert acme.seen(new) is not None
