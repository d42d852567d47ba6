"""Links to choose a new password."""

import os
from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.domain.errors import Invalid, NotFound, TooManyAttempts
from chalicelib.features.members import resets, sessions
from chalicelib.platform.settings import settings
from scripts import reset_link
from tests.support.people import HOW, NOW, OTHER_PASSWORD, PASSWORD, log_in

HOUR, MINUTE, MOMENT = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)
ANN = "ann@acme.example"


def use(token, password=OTHER_PASSWORD, *, after=timedelta(0)):
    return resets.use(token, password, **HOW, now=NOW + after)


def test_a_link_lets_its_user_choose_a_password_and_ends_all_sessions(acme):
    before = acme.first()
    token = resets.make_link(" ANN@acme.example", now=NOW)
    assert resets.is_open(token, now=NOW)
    new = use(token)
    assert new.user == before.user
    assert acme.seen(before) is None
    assert acme.seen(new).membership is not None
    with pytest.raises(Invalid):
        log_in(ANN)
    assert log_in(ANN, OTHER_PASSWORD).user == before.user


def test_there_is_no_link_for_an_unknown_email(acme):
    with pytest.raises(NotFound, match="user_not_found"):
        resets.make_link(ANN, now=NOW)


@pytest.mark.parametrize(("after", "counts"), [(HOUR - MOMENT, True), (HOUR, False)], ids=["last", "over"])
def test_a_link_counts_for_an_hour(acme, after, counts):
    acme.first()
    token = resets.make_link(ANN, now=NOW)
    assert resets.is_open(token, now=NOW + after) == counts
    if counts:
        assert use(token, after=after).user.email == ANN
    else:
        with pytest.raises(NotFound, match="password_reset_not_found"):
            use(token, after=after)


@pytest.mark.parametrize("token", ["", "x", "0" * 40, "\ud800" * 40])
def test_a_token_that_is_none_chooses_nothing(acme, token):
    assert not resets.is_open(token, now=NOW)
    with pytest.raises(NotFound, match="password_reset_not_found"):
        use(token)


def test_a_second_click_begins_another_session_only(acme):
    acme.first()
    token = resets.make_link(ANN, now=NOW)
    one, two = use(token), use(token, after=MINUTE - MOMENT)
    assert not resets.is_open(token, now=NOW)
    assert acme.seen(one) is not None
    assert acme.seen(two) is not None


@pytest.mark.parametrize(
    ("password", "after"), [(OTHER_PASSWORD, MINUTE), (PASSWORD, timedelta(0))], ids=["late", "another password"]
)
def test_a_used_link_chooses_nothing(acme, password, after):
    acme.first()
    token = resets.make_link(ANN, now=NOW)
    use(token)
    with pytest.raises(NotFound, match="password_reset_not_found"):
        use(token, password, after=after)
    assert log_in(ANN, OTHER_PASSWORD).user.email == ANN


def test_of_several_links_the_first_that_is_used_ends_the_others(acme):
    acme.first()
    tokens = [resets.make_link(ANN, now=NOW) for _ in range(2)]
    assert all(resets.is_open(token, now=NOW) for token in tokens)
    use(tokens[1])
    assert not resets.is_open(tokens[0], now=NOW)
    with pytest.raises(NotFound):
        use(tokens[0], "nine loud mountains")


def test_another_password_ends_a_link(acme):
    new = acme.first()
    token = resets.make_link(ANN, now=NOW)
    sessions.change_password(new.user, new.session, PASSWORD, OTHER_PASSWORD, now=NOW)
    with pytest.raises(NotFound):
        use(token)


def test_a_password_that_is_refused_leaves_the_link_as_it_was(acme):
    acme.first()
    token = resets.make_link(ANN, now=NOW)
    for password, code in (("short", "value_is_too_short"), ("Acme Acme Acme", "password_too_weak")):
        with pytest.raises(Invalid) as refused:
            use(token, password)
        assert refused.value.details == {"password": [code]}
    assert use(token).user.email == ANN


def test_a_link_helps_whoever_has_to_wait(acme):
    acme.first()
    for _ in range(limits.LOGIN_FAILURES_PER_EMAIL):
        with pytest.raises(Invalid):
            log_in(ANN, "wrong")
    with pytest.raises(TooManyAttempts):
        log_in(ANN)
    use(resets.make_link(ANN, now=NOW))
    assert log_in(ANN, OTHER_PASSWORD).user.email == ANN


def test_the_command_prints_a_link(acme, capsys):
    acme.first()
    assert reset_link.report(ANN) == 0
    url = capsys.readouterr().out.strip()
    assert url.startswith(f"{settings().public_url}/console/reset/")
    assert len(url.rpartition("/")[2]) == 40
    assert reset_link.report("nobody@acme.example") == 1
    assert "nobody@acme.example" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "EMAIL is needed"), ({"EMAIL": ANN, "STAGE": "prod"}, "PUBLIC_URL is needed")],
)
def test_the_command_says_what_it_needs(monkeypatch, capsys, given, said):
    for name in ("EMAIL", "STAGE", "PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setitem(os.environ, name, value)
    assert reset_link.main() == 2
    assert said in capsys.readouterr().out
