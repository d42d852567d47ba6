"""No item contains a password or the token of a session or link, and no text about a value does."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import BillingError
from chalicelib.features.members import invitations, resets, sessions, tokens
from tests.support import aws
from tests.support.people import HOW, NOW, Company, log_in, whole_table

_WORDS = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=20), min_size=3, max_size=3
)


@settings(max_examples=12, deadline=None)
@given(words=_WORDS)
def test_no_item_ever_contains_a_password_or_a_token(words):
    one, two = "kR7#vq!zT2px " + " ".join(words), " ".join(reversed(words)) + " 8Wd?mL%cY3ug"
    with aws.in_memory():
        acme = Company.founded()
        said = [acme.first_token, acme.invite("bob@acme.example"), one, two]
        ann = invitations.accept(acme.first_token, one, **HOW, now=NOW)
        said.append(invitations.renew(acme.ref.id, invitations.pending_of(acme.ref.id)[0].id, now=NOW).token)
        said += [each.cookie.partition(".")[2] for each in (ann, log_in("ann@acme.example", one))]
        with pytest.raises(BillingError):
            log_in("ann@acme.example", two)
        sessions.change_password(ann.user, ann.session, one, two, now=NOW)
        said.append(resets.make_link("ann@acme.example", now=NOW))
        new = resets.use(said[-1], one, **HOW, now=NOW)
        said.append(new.cookie.partition(".")[2])
        acme.seen(new, after=timedelta(hours=2))
        kept = whole_table()
        assert [each for each in said if each in kept or repr(each)[1:-1] in kept] == []
        assert tokens.digest(said[0]) in kept  # The look finds what is there.


def test_a_value_in_a_log_line_shows_no_secret(acme):
    ann, invited = acme.first(), invitations.invite(acme.ref, acme.name, "bob@acme.example", now=NOW)
    shown = repr([ann, acme.seen(ann), invited, tokens.for_link()])
    assert ann.cookie not in shown
    assert ann.session.csrf_secret not in shown
    assert invited.token not in shown
    assert "text=" not in shown
    assert "argon2" not in shown + repr(sessions.store.account(ann.user.id))
