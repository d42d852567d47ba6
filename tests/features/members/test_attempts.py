"""Too many failed attempts to log in make the next ones wait, and nobody else."""

from datetime import timedelta

import pytest

from chalicelib import limits
from chalicelib.domain.errors import Invalid, TooManyAttempts
from chalicelib.features.members import attempts, passwords
from chalicelib.features.members.attempts import Failures
from chalicelib.platform.http import answers
from tests.support.capacity import counting
from tests.support.people import NOW, PASSWORD, log_in

MINUTE, SECOND, MOMENT = timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1)
ANN = "ann@acme.example"


def wrong(email=ANN, *, after=timedelta(0), **how):
    """A wrong password; the seconds to wait where there are too many, else None."""
    with pytest.raises((Invalid, TooManyAttempts)) as refused:
        log_in(email, "wrong", after=after, **how)
    if isinstance(refused.value, TooManyAttempts):
        return refused.value.retry_after
    assert refused.value.details == {"base": ["incorrect_login_or_password"]}
    return None


def fail(times, email=ANN, *, after=timedelta(0)):
    assert [wrong(email, after=after, address=f"192.0.2.{n}") for n in range(times)] == [None] * times


def test_after_five_failures_the_right_password_waits_too(acme):
    acme.first()
    fail(5)
    with pytest.raises(TooManyAttempts) as refused:
        log_in(ANN)
    assert refused.value.retry_after == 60
    with pytest.raises(TooManyAttempts) as refused:
        log_in(ANN, after=MINUTE - MOMENT)
    assert refused.value.retry_after == 1
    assert log_in(ANN, after=MINUTE).user.email == ANN


def test_the_answer_says_when_to_try_again():
    answer = answers.refusal(TooManyAttempts(37))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "37")
    assert '"too_many_attempts"' in answer.body


def test_each_failure_after_a_wait_doubles_the_next_one_up_to_an_hour(acme):
    fail(5)
    at, waits = timedelta(0), []
    for _ in range(9):
        waits.append(wrong(after=at))
        at += waits[-1] * SECOND
        assert wrong(after=at) is None
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_what_waits_counts_for_nothing(acme):
    fail(5)
    assert [wrong(after=30 * SECOND) for _ in range(20)] == [30] * 20
    assert wrong(after=MINUTE) is None


def test_a_window_without_failures_after_a_wait_forgets_them(acme):
    fail(5)
    fail(4, after=MINUTE + limits.LOGIN_FAILURES_WINDOW)
    assert wrong(after=MINUTE + limits.LOGIN_FAILURES_WINDOW) is None  # The fifth again.


@pytest.mark.parametrize(
    ("later", "waits"),
    [
        pytest.param(limits.LOGIN_FAILURES_WINDOW - MOMENT, True, id="five within the window"),
        pytest.param(limits.LOGIN_FAILURES_WINDOW, False, id="the first has left the window"),
    ],
)
def test_only_failures_of_the_window_count(acme, later, waits):
    fail(1)
    fail(3, after=5 * MINUTE)
    fail(1, after=later)
    assert (wrong(after=later, address="192.0.2.9") is not None) == waits


def test_success_forgets_the_failures_of_the_email(acme):
    acme.first()
    fail(4)
    log_in(ANN)
    fail(4)
    log_in(ANN)


def test_an_unknown_email_waits_like_a_known_one(acme):
    acme.first()
    for email in (ANN, "nobody@acme.example"):
        fail(5, email)
        assert wrong(email) == 60


@pytest.mark.parametrize("written", ["ANN@acme.example", "  Ann@Acme.Example "])
def test_an_email_is_the_same_however_it_is_written(acme, written):
    acme.first()
    assert log_in(written).user.email == ANN
    fail(5, written)
    assert wrong(ANN) == 60


def test_thirty_failures_from_one_address_make_it_wait_whatever_the_email(acme):
    acme.first()
    for n in range(30):
        assert wrong(f"p{n}@acme.example") is None
    assert wrong("other@acme.example") == 60
    with pytest.raises(TooManyAttempts):
        log_in(ANN)
    assert log_in(ANN, address="198.51.100.1").user.email == ANN


def test_success_takes_back_its_own_attempt_from_an_address_and_no_other(acme):
    acme.first()
    for n in range(29):
        assert wrong(f"p{n}@acme.example") is None
    for n in range(3):
        log_in(ANN, after=n * SECOND)
    assert wrong("q@acme.example", after=5 * SECOND) is None
    assert wrong("r@acme.example", after=5 * SECOND) == 60


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unknown", "", False),
    ],
)
def test_an_address_of_ipv6_is_its_network(one, two, same):
    assert (attempts._network(one) == attempts._network(two)) == same


def test_waiting_costs_one_request_and_no_write(acme):
    fail(5)
    with counting() as meter:
        assert wrong() == 60
    assert meter.requests == {"batch_get_item": 1}


def test_failures_are_kept_without_end_in_bounded_space():
    found = Failures()
    for n in range(200):
        found = found.with_one(30, NOW + n * SECOND)
    assert len(found.at) == 42
    assert found.blocked_until(30) == found.at[-1] + limits.LOGIN_WAIT_MAX


def test_success_and_failure_at_one_instant_are_two_attempts():
    found = Failures().with_one(5, NOW).with_one(5, NOW)
    assert found.without(NOW).at == (NOW,)


def test_the_password_itself_is_looked_at_only_after_the_attempt_was_counted(acme, monkeypatch):
    acme.first()
    order: list[str] = []
    real_begin, real_matches = attempts.begin, passwords.matches
    monkeypatch.setattr(attempts, "begin", lambda *a, **k: order.append("begin") or real_begin(*a, **k))
    monkeypatch.setattr(passwords, "matches", lambda *a: order.append("matches") or real_matches(*a))
    log_in(ANN, PASSWORD)
    assert order == ["begin", "matches"]
