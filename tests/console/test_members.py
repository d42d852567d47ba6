"""Members: inviting, renewing, revoking, removing."""

import re

from chalicelib.features.members import invitations, service
from chalicelib.platform.clock import utc_now
from tests.support.console import PASSWORD, Visitor, member_of, posted
from tests.support.story import Story


def invited(visitor: Visitor, email: str = "ada@example.com") -> str:
    """The token of a link that the form made."""
    shown = visitor.post("settings", "members", "new", form={"email": email})
    assert shown.status == 200, shown.words
    found = re.search(r"/invitation/([0-9a-f]{40})", shown.text)
    assert found is not None, shown.words
    return found[1]


def join(token: str, email: str = "ada@example.com") -> int:
    form = {"email": email, "password": PASSWORD, "password_confirmation": PASSWORD}
    return posted(f"/console/invitation/{token}", form, {"Sec-Fetch-Site": "same-origin"}).status


def test_a_link_lets_somebody_in(visitor: Visitor):
    token = invited(visitor)
    assert "ada@example.com" in visitor.get("settings", "members").words
    assert join(token) == 303
    members, _, pending = visitor.get("settings", "members").words.partition("Pending invitations")
    assert "ada@example.com" in members
    assert "marie@example.com you" in members
    assert "ada@example.com" not in pending


def test_wrong_addresses_are_refused_at_the_field(visitor: Visitor):
    for email, code in (("nobody", "invalid_email_format"), ("marie@example.com", "value_already_exist")):
        answer = visitor.post("settings", "members", "new", form={"email": email})
        assert answer.status == 422
        assert code in answer.words
        assert 'id="f-email-error"' in answer.text


def test_a_second_click_shows_a_link_that_works(visitor: Visitor):
    invited(visitor)
    token = invited(visitor)
    assert len(invitations.pending_of(visitor.story.ref.id)) == 1 + 1
    assert join(token) == 303


def test_a_new_link_replaces_the_old_one(visitor: Visitor):
    first = invited(visitor)
    (pending,) = [each for each in invitations.pending_of(visitor.story.ref.id) if each.email == "ada@example.com"]
    shown = visitor.post("settings", "invitations", pending.id, "renew")
    found = re.search(r"/invitation/([0-9a-f]{40})", shown.text)
    assert found is not None
    assert join(first) == 404
    assert join(found[1]) == 303


def test_a_revoked_link_leads_nowhere(visitor: Visitor):
    token = invited(visitor)
    (pending,) = [each for each in invitations.pending_of(visitor.story.ref.id) if each.email == "ada@example.com"]
    assert (
        "Revoke the invitation of ada@example.com" in visitor.get("settings", "invitations", pending.id, "revoke").words
    )
    assert visitor.post("settings", "invitations", pending.id, "revoke").status == 303
    assert join(token) == 404
    assert visitor.post("settings", "invitations", pending.id, "revoke").status == 404


def test_a_removed_member_is_out_and_oneself_cannot_be_removed(visitor: Visitor):
    other = member_of(visitor.story, "bob@example.com")
    members = {each.email: each.user_id for each in service.members_of(visitor.story.ref.id)}
    assert visitor.post("settings", "members", members["bob@example.com"], "remove").status == 303
    assert other.get("customers").status in (303, 404)
    answer = visitor.post("settings", "members", members["marie@example.com"], "remove")
    assert answer.status == 405
    assert "cannot_revoke_own_membership" in answer.words
    assert visitor.get("settings", "members", "none", "remove").status == 404


def test_members_of_others_are_not_there(visitor: Visitor):
    other = member_of(Story.begin(at=None), "eve@example.com")
    (eve,) = service.members_of(other.story.ref.id)
    assert visitor.get("settings", "members", eve.user_id, "remove").status == 404
    invitation = invitations.invite(other.story.ref, "Other", "zoe@example.com", now=utc_now()).invitation
    assert visitor.post("settings", "invitations", invitation.id, "renew").status == 404
