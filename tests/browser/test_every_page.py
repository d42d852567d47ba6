"""Every page in the browser: nothing is wrong with it for those who hear it or use a keyboard, in both colours and at both
widths, and none is wider than its window. The stack of all of them is told one story."""

import pytest

from tests.support import browsing, console_world
from tests.support.browsing import Organization
from tests.support.examples import examples

# Pages that this organization has no object for.
_ABSENT = ("subscriptions/{id}/cancel", "invoices/{id}/delete", "settings/members/{id}", "invoices/{id}/finalize")


@pytest.mark.organization(timezone="Europe/Paris")
@pytest.mark.parametrize("half", [0, 1])
def test_every_page_is_fit_for_everybody(organization: Organization, sign_in, visit, stack, watch, half):
    ids = console_world.full(organization.story)
    member = sign_in(organization)
    wide = visit(stack.url, member, color_scheme="light", viewport={"width": 1360, "height": 860})
    phone = visit(stack.url, member, color_scheme="dark", viewport={"width": 390, "height": 844})
    seen, wrong = 0, []
    for number, (route, segments, query) in enumerate(console_world.places(ids)):
        if (
            number % 2 != half
            or any(route.pattern.endswith(absent) for absent in _ABSENT)
            or "members/{id}" in route.pattern
        ):
            continue
        if segments[-1:] == ["timezones"] or tuple(segments) == ("clock", "state"):
            continue  # Parts of other pages.
        address = organization.address(*segments) + (f"?customer={query['customer']}" if query else "")
        # Each page in one of both looks, by turns; with more examples in both.
        looks = (wide, phone) if examples(1) > 1 else ((wide, phone)[(number // 2) % 2],)
        for page in looks:
            page.goto(address)
            page.wait_for_load_state("networkidle")
            wrong += [f"{address}: {each}" for each in browsing.violations(page)]
            watch.look(page)
        seen += 1
    assert wrong == []
    assert seen > 25
