"""Which passwords are accepted, and how they are kept."""

import re
import unicodedata

import pytest

from chalicelib import limits
from chalicelib.domain.errors import Invalid
from chalicelib.features.members import passwords
from tests.support.people import PASSWORD

NEAR = ["carolina@northwind.example", "Northwind Traders"]


@pytest.mark.parametrize(
    ("password", "code"),
    [
        pytest.param("", "value_is_too_short", id="nothing"),
        pytest.param("kR7#vq!zT2p", "value_is_too_short", id="eleven characters"),
        pytest.param("kR7#vq!zT2px", None, id="twelve characters"),
        pytest.param("kR7#vq!zT2px" * 10 + "kR7#vq!z", None, id="128 characters"),
        pytest.param("kR7#vq!zT2px" * 10 + "kR7#vq!zT", "value_is_too_long", id="129 characters"),
        pytest.param("aaaaaaaaaaaaaaaa", "password_too_weak", id="one letter"),
        pytest.param("password1234", "password_too_weak", id="a common one"),
        pytest.param("carolinanorthwind", "password_too_weak", id="the e-mail's words"),
        pytest.param("Northwind Traders", "password_too_weak", id="the organization's name"),
        pytest.param("correct horse battery staple", None, id="four words"),
        pytest.param("żółw na łące przy rzece", None, id="letters beyond ASCII"),
        pytest.param("\ud800" * 3 + "kR7#vq!zT2px", None, id="half a character"),
    ],
)
def test_a_new_password_is_long_enough_and_not_easily_guessed(password, code):
    if code is None:
        passwords.check(password, near=NEAR)
        return
    with pytest.raises(Invalid) as refused:
        passwords.check(password, near=NEAR)
    assert refused.value.details == {"password": [code]}


def test_hashes_are_argon2id_of_19_mib_in_two_passes_and_one_lane(monkeypatch):
    monkeypatch.setattr(limits, "ARGON2_KIB", 19 * 1024)
    monkeypatch.setattr(limits, "ARGON2_PASSES", 2)
    passwords._hasher.cache_clear()
    made = passwords.hashed(PASSWORD)
    assert re.match(r"\$argon2id\$v=19\$m=19456,t=2,p=1\$", made)
    assert passwords.matches(made, PASSWORD)
    assert not passwords.is_outdated(made)


def test_a_hash_is_salted_and_matches_its_password_only():
    one, two = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert one != two
    assert passwords.matches(one, PASSWORD)
    assert not passwords.matches(one, PASSWORD + " ")
    assert not passwords.matches(one, PASSWORD.upper())
    assert not passwords.matches("no hash", PASSWORD)


def test_a_letter_matches_whichever_way_the_keyboard_sends_it():
    typed = "fünf Störche im Nebel"
    one, two = unicodedata.normalize("NFC", typed), unicodedata.normalize("NFD", typed)
    assert one != two
    assert passwords.matches(passwords.hashed(one), two)


def test_what_cannot_be_a_password_matches_nothing():
    made = passwords.hashed("x" * limits.PASSWORD_CHARS_MAX)
    assert not passwords.matches(made, "x" * 1_000_000)
    assert not passwords.matches(made, "\ud800")


def test_nobodys_hash_has_the_present_parameters_and_no_password_is_its():
    assert not passwords.is_outdated(passwords._nobodys())
    assert not passwords.matches(None, "")
    assert not passwords.matches(None, PASSWORD)


def test_a_hash_is_outdated_once_parameters_have_grown(monkeypatch):
    made = passwords.hashed(PASSWORD)
    monkeypatch.setattr(limits, "ARGON2_KIB", 16)
    passwords._hasher.cache_clear()
    assert passwords.is_outdated(made)
    assert passwords.matches(made, PASSWORD)
