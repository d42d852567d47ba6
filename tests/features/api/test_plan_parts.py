"""The parts of a plan, each by its own routes, and what is told about plans."""

from typing import Any

import pytest

from chalicelib.features.plans.store import PLANS
from tests.support.story import work


@pytest.fixture
def catalog(story) -> Any:
    """A plan with one charge and one fixed charge; the metric."""
    metric = story.metric()
    story.metric("other")
    body = {"name": "Seat", "code": "seat", "amount_cents": 100, "amount_currency": "EUR"}
    story.ok("POST", "/add_ons", {"add_on": body})
    story.plan(charges=[usage(metric)], fixed_charges=[{"add_on_code": "seat", "charge_model": "standard"}])
    return metric


def usage(metric: Any, **fields: Any) -> dict[str, Any]:
    """A charge as a request has it."""
    properties = {"properties": {"amount": "1"}}
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", **properties, **fields}


def metric_of(story, code: str) -> Any:
    """A metric by its code."""
    return story.ok("GET", f"/billable_metrics/{code}")["billable_metric"]


def plan_of(story) -> Any:
    """The plan."""
    return story.ok("GET", "/plans/plan")["plan"]


def take(story) -> None:
    """Let the plan have had a subscription."""
    organization_id = story.ok("GET", "/organizations")["organization"]["lago_id"]
    before = PLANS.find(organization_id, "plan")
    PLANS.replace(organization_id, before, before.model_copy(update={"taken": True}))


def test_charges_are_added_changed_and_removed_one_by_one(story, catalog):
    made = story.ok("POST", "/plans/plan/charges", {"charge": usage(metric_of(story, "other"), id="ignored")})["charge"]
    assert (made["code"], made["properties"], made["lago_parent_id"]) == ("other", {"amount": "1"}, None)
    assert plan_of(story)["charges"][1] == made
    assert story.ok("GET", "/plans/plan/charges/other")["charge"] == made

    body = {"properties": {"amount": "2"}, "invoice_display_name": "More", "code": "renamed"}
    changed = story.ok("PUT", "/plans/plan/charges/other", {"charge": body})["charge"]
    assert changed == made | body
    assert story.call("GET", "/plans/plan/charges/other").body["code"] == "charge_not_found"

    assert story.ok("DELETE", "/plans/plan/charges/renamed")["charge"] == changed
    assert [c["code"] for c in plan_of(story)["charges"]] == ["calls"]
    assert story.call("DELETE", "/plans/plan/charges/renamed").body["code"] == "charge_not_found"


def test_a_metric_is_free_again_when_its_charge_is_removed(story, catalog):
    story.ok("PUT", "/billable_metrics/calls", {"billable_metric": {"code": "fixed"}})
    assert story.call("GET", "/billable_metrics/calls").status == 200
    story.ok("DELETE", "/plans/plan/charges/calls")
    story.ok("PUT", "/billable_metrics/calls", {"billable_metric": {"code": "free"}})
    assert story.call("GET", "/billable_metrics/free").status == 200


def test_fixed_charges_are_added_changed_and_removed_one_by_one(story, catalog):
    body = {"add_on_code": "seat", "charge_model": "standard", "units": 2, "cascade_updates": False}
    made = story.ok("POST", "/plans/plan/fixed_charges", {"fixed_charge": body})["fixed_charge"]
    assert (made["code"], made["units"]) == ("seat_2", "2.0")
    assert story.ok("GET", "/plans/plan/fixed_charges/seat_2")["fixed_charge"] == made
    path = "/plans/plan/fixed_charges/seat_2"
    changed = story.ok("PUT", path, {"fixed_charge": {"units": "3", "apply_units_immediately": True}})["fixed_charge"]
    assert changed == made | {"units": "3.0"}
    assert story.ok("DELETE", path)["fixed_charge"] == changed
    assert story.call("GET", path).body["code"] == "fixed_charge_not_found"
    assert [c["code"] for c in plan_of(story)["fixed_charges"]] == ["seat"]


def test_parts_are_listed_in_pages_newest_first(story, catalog):
    story.travel("2024-01-02T00:00:00Z")
    story.ok("POST", "/plans/plan/charges", {"charge": usage(catalog)})
    first = story.ok("GET", "/plans/plan/charges?per_page=1")
    assert [c["code"] for c in first["charges"]] == ["calls_2"]
    assert first["meta"] == {"current_page": 1, "next_page": 2, "prev_page": None, "total_pages": 2, "total_count": 2}
    assert [c["code"] for c in story.ok("GET", "/plans/plan/charges?per_page=1&page=2")["charges"]] == ["calls"]
    assert story.ok("GET", "/plans/plan/charges?page=9")["charges"] == []
    assert [c["code"] for c in story.ok("GET", "/plans/plan/fixed_charges")["fixed_charges"]] == ["seat"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/plans/none/charges", {"charge": {"code": "x"}}, 404, "plan_not_found"),
        ("GET", "/plans/none/charges", None, 404, "plan_not_found"),
        ("GET", "/plans/plan/charges/none", None, 404, "charge_not_found"),
        ("PUT", "/plans/plan/charges/none", None, 404, "charge_not_found"),
        ("DELETE", "/plans/plan/charges/none", None, 404, "charge_not_found"),
        ("POST", "/plans/plan/charges", {"charge": {"charge_model": "standard"}}, 404, "billable_metrics_not_found"),
        ("POST", "/plans/plan/charges", {"other": {}}, 400, None),
        ("PUT", "/plans/plan/charges/calls", {"charge": {"tax_codes": ["none"]}}, 404, "tax_not_found"),
        ("PUT", "/plans/plan/charges/calls", {"charge": {"properties": {"amount": 1}}}, 422, "validation_errors"),
        ("PUT", "/plans/plan/charges/calls", {"charge": {"cascade_updates": "x"}}, 422, "validation_errors"),
        ("DELETE", "/plans/plan/charges/calls", {"charge": {"cascade_updates": 7}}, 422, "validation_errors"),
        ("POST", "/plans/none/fixed_charges", {"fixed_charge": {"code": "x"}}, 404, "plan_not_found"),
        ("GET", "/plans/plan/fixed_charges/none", None, 404, "fixed_charge_not_found"),
        ("PUT", "/plans/plan/fixed_charges/none", None, 404, "fixed_charge_not_found"),
        ("DELETE", "/plans/plan/fixed_charges/none", None, 404, "fixed_charge_not_found"),
        ("POST", "/plans/plan/fixed_charges", {"fixed_charge": {"add_on_code": "none"}}, 404, "add_on_not_found"),
        ("PUT", "/plans/plan/fixed_charges/seat", {"fixed_charge": {"units": -1}}, 422, "validation_errors"),
        ("POST", "/plans/none/metadata", {"metadata": {"a": "b"}}, 404, "plan_not_found"),
        ("PATCH", "/plans/none/metadata", None, 404, "plan_not_found"),
        ("DELETE", "/plans/plan/metadata", None, 404, "metadata_not_found"),
        ("DELETE", "/plans/plan/metadata/a", None, 404, "metadata_not_found"),
        ("POST", "/plans/plan/metadata", {"metadata": None}, 400, None),
        ("PATCH", "/plans/plan/metadata", {}, 400, None),
        ("POST", "/plans/plan/metadata", {"metadata": {"k" * 101: "v"}}, 422, "validation_errors"),
    ],
)
def test_refusals_change_nothing(story, catalog, method, path, body, status, code):
    before = plan_of(story)
    answer = story.call(method, path, body)
    assert (answer.status, answer.body.get("code")) == (status, code)
    assert plan_of(story) == before


def test_a_code_is_one_parts_only(story, catalog):
    taken = story.call("POST", "/plans/plan/charges", {"charge": usage(catalog, code="calls")})
    assert taken.body["error_details"] == {"code": ["value_already_exist"]}
    story.ok("POST", "/plans/plan/charges", {"charge": usage(catalog, code="second")})
    renamed = story.call("PUT", "/plans/plan/charges/second", {"charge": {"code": "calls"}})
    assert renamed.body["error_details"] == {"code": ["value_already_exist"]}
    # Whoever goes leaves its code to who comes.
    swapped = story.ok("PUT", "/plans/plan", {"plan": {"charges": [usage(catalog, code="second")]}})["plan"]
    assert [c["code"] for c in swapped["charges"]] == ["second"]


def test_what_is_fixed_is_ignored_in_single_parts_too(story, catalog):
    take(story)
    before = plan_of(story)["charges"][0]
    body = {"code": "x", "charge_model": "volume", "min_amount_cents": 5, "properties": {"amount": "9"}}
    after = story.ok("PUT", "/plans/plan/charges/calls", {"charge": body})["charge"]
    assert after == before | {"properties": {"amount": "9"}}


def test_charges_of_deleted_metrics_are_not_found(story, catalog):
    story.ok("DELETE", "/billable_metrics/calls")
    assert story.call("GET", "/plans/plan/charges/calls").body["code"] == "charge_not_found"
    assert story.ok("GET", "/plans/plan/charges")["charges"] == []
    # The others can still be changed beside it.
    story.ok("POST", "/plans/plan/charges", {"charge": usage(metric_of(story, "other"))})
    assert [c["code"] for c in plan_of(story)["charges"]] == ["other"]


def test_metadata_is_replaced_merged_and_emptied(story, catalog):
    path = "/plans/plan/metadata"
    assert story.ok("POST", path, {"metadata": {"a": "1", "b": None}}) == {"metadata": {"a": "1", "b": None}}
    assert story.ok("POST", path, {"metadata": {"a": "2"}}) == {"metadata": {"a": "2"}}
    assert story.ok("PATCH", path, {"metadata": {"c d": "3"}}) == {"metadata": {"a": "2", "c d": "3"}}
    assert plan_of(story)["metadata"] == {"a": "2", "c d": "3"}
    assert story.ok("DELETE", f"{path}/c%20d") == {"metadata": {"a": "2"}}
    assert story.call("DELETE", f"{path}/c").body["code"] == "metadata_not_found"
    assert story.ok("DELETE", path) == {"metadata": None}
    assert "metadata" not in plan_of(story)


def test_plans_are_announced_once_per_change(story, catalog, monkeypatch):
    told: list[tuple[str, Any]] = []
    from chalicelib.features.plans import changes

    announce = changes.webhooks.announcement

    def listen(organization: Any, name: str, object_type: str, payload: Any, **how: Any) -> Any:
        shown = payload()
        told.append((name, (object_type, shown["code"], shown["name"], len(shown["charges"]), how["subject"])))
        return announce(organization, name, object_type, payload, **how)

    monkeypatch.setattr(changes.webhooks, "announcement", listen)
    story.ok("POST", "/webhook_endpoints", {"webhook_endpoint": {"webhook_url": "http://127.0.0.1:9/hook"}})
    plan = story.plan("new")
    story.ok("PUT", "/plans/plan", {"plan": {"name": "Other"}})
    story.ok("DELETE", "/plans/plan/charges/calls")
    known = plan_of(story)["lago_id"]
    assert told == [
        ("plan.created", ("plan", "new", "new", 0, f"plan.created#{plan['lago_id']}#0")),
        ("plan.updated", ("plan", "plan", "Other", 1, f"plan.updated#{known}#1")),
        ("plan.updated", ("plan", "plan", "Other", 0, f"plan.updated#{known}#2")),
    ]
    assert work("webhooks") > 0  # They are tasks like any other.
