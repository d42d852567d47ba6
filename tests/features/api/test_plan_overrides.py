"""Children of plans: what a subscription overrides. Source: rules/catalog 2.1."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Invalid, NotFound
from chalicelib.features.billable_metrics import store as metric_store
from chalicelib.features.plans import serializer, store, subscribers
from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.store import PLANS
from chalicelib.platform.dynamodb import Cancelled
from chalicelib.platform.unit import Unit
from tests.support.children import NOW, World


@pytest.fixture
def world(story) -> World:
    return World.begin(story)


def test_a_child_is_a_copy_with_ids_of_its_own(world):
    parent, child = world.parent, world.child()
    assert child.parent_id == parent.id != child.id
    assert (child.code, child.interval, child.version, child.taken) == ("plan", "monthly", 0, True)
    assert [c.parent_id for c in child.charges] == [c.id for c in parent.charges]
    assert [c.parent_id for c in child.fixed_charges] == [c.id for c in parent.fixed_charges]
    assert child.minimum_commitment.id != parent.minimum_commitment.id
    own = {"id", "parent_id", "parent_version", "version", "taken", "created_at", "updated_at"}
    parts = {"charges", "fixed_charges", "minimum_commitment"}
    assert child.model_dump(exclude=own | parts) == parent.model_dump(exclude=own | parts)
    for mine, theirs in zip(child.charges + child.fixed_charges, parent.charges + parent.fixed_charges, strict=True):
        assert mine.id != theirs.id
        assert mine.model_dump(exclude={"id", "parent_id"}) == theirs.model_dump(exclude={"id", "parent_id"})


def test_a_child_has_what_is_overridden(world):
    parent = world.parent
    child = world.child(
        amount_cents=700,
        amount_currency="USD",
        name="Deal",
        invoice_display_name="Special",
        description=None,
        trial_period="10.5",
        tax_codes=["vat"],
        metadata={"a": "b"},
        minimum_commitment={"amount_cents": 100},
        charges=[
            {
                "id": parent.charges[1].id,
                "properties": {"amount": "0.5"},
                "tax_codes": ["vat"],
                "charge_model": "volume",
            }
        ],
        fixed_charges=[{"id": parent.fixed_charges[0].id, "units": 8, "invoice_display_name": "Places"}],
        interval="weekly",
        pay_in_advance=True,
        code="x",
    )
    assert (child.amount_cents, child.amount_currency, child.name) == (700, "USD", "Deal")
    assert (child.invoice_display_name, child.description, child.trial_period) == ("Special", None, "10.5")
    assert (child.metadata, len(child.tax_ids)) == ({"a": "b"}, 1)
    assert (child.interval, child.pay_in_advance, child.code) == ("monthly", False, "plan")  # Not to be overridden.
    assert child.minimum_commitment.amount_cents == 100
    first, second = child.charges
    assert (first.properties, first.tax_ids) == ({"amount": "1"}, ())
    assert (second.properties, second.charge_model, len(second.tax_ids)) == ({"amount": "0.5"}, "standard", 1)
    assert second.parent_id == parent.charges[1].id
    (seat,) = child.fixed_charges
    assert (seat.units, seat.first_units, seat.changes, seat.invoice_display_name) == ("8", "8", (), "Places")
    assert seat.properties == {"amount": "3"}


def test_units_that_are_not_overridden_keep_their_history(world):
    world.put(fixed_charges=[{"id": world.parent.fixed_charges[0].id, "units": 6}])
    (seat,) = world.child(name="x").fixed_charges
    assert (seat.units, seat.first_units, [c.units for c in seat.changes]) == ("6", "5", ["6"])


def test_a_child_of_a_running_subscription_remembers_changed_units(world):
    copy = world.child()
    parent = world.parent
    new = overrides.changed(
        world.organization_id,
        copy,
        {
            "amount_currency": "USD",
            "trial_period": 99,
            "fixed_charges": [{"id": parent.fixed_charges[0].id, "units": 8, "apply_units_immediately": True}],
            "charges": [
                {"id": copy.charges[0].id, "properties": {"amount": "7"}},  # By its own id ...
                {"id": parent.charges[1].id, "invoice_display_name": "Texts"},  # ... or by the parent's.
            ],
        },
        now=NOW + timedelta(days=4),
    )
    assert (new.amount_currency, new.trial_period) == ("EUR", "3")  # Fixed by now.
    (seat,) = new.fixed_charges
    assert (seat.units, seat.first_units) == ("8", "5")
    assert [(c.units, c.at, c.immediately) for c in seat.changes] == [("8", NOW + timedelta(days=4), True)]
    assert [c.properties for c in new.charges] == [{"amount": "7"}, {"amount": "2"}]
    assert [c.invoice_display_name for c in new.charges] == [None, "Texts"]
    assert [c.id for c in new.charges] == [c.id for c in copy.charges]
    assert new.minimum_commitment == copy.minimum_commitment
    assert (
        overrides.changed(world.organization_id, new, {"minimum_commitment": None}, now=NOW).minimum_commitment is None
    )


@pytest.mark.parametrize(
    ("values", "details"),
    [
        pytest.param(
            {"amount_cents": -1, "name": "", "amount_currency": "XXX", "trial_period": "x"},
            {
                "amount_cents": ["value_is_out_of_range"],
                "name": ["value_is_mandatory"],
                "amount_currency": ["value_is_invalid"],
                "trial_period": ["value_is_invalid"],
            },
            id="fields of the plan, all at once",
        ),
        pytest.param(
            {"usage_thresholds": [{"amount_cents": 1}]}, {"usage_thresholds": ["value_is_invalid"]}, id="later"
        ),
        pytest.param({"charges": {}}, {"charges": ["value_is_invalid"]}, id="no list"),
        pytest.param(
            {"charges": [{"id": 0, "properties": {"amount": 1}}]}, {"amount": ["invalid_amount"]}, id="charge"
        ),
        pytest.param({"charges": [{"id": 0, "filters": [{}]}]}, {"values": ["value_is_mandatory"]}, id="filters"),
        pytest.param({"fixed_charges": [{"id": 0, "units": "x"}]}, {"units": ["value_is_invalid"]}, id="fixed charge"),
        pytest.param(
            {"minimum_commitment": {"amount_cents": -1}}, {"amount_cents": ["value_is_out_of_range"]}, id="commitment"
        ),
    ],
)
def test_wrong_overrides_are_refused_as_in_plans(world, values, details):
    named = dict(values)
    for field in ("charges", "fixed_charges"):
        if isinstance(values.get(field), list):
            named[field] = [{**entry, "id": getattr(world.parent, field)[0].id} for entry in values[field]]
    with pytest.raises(Invalid) as refusal:
        world.child(**named)
    assert refusal.value.details == details
    with pytest.raises(Invalid):
        overrides.changed(world.organization_id, world.child(), {"name": None}, now=NOW)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"charges": [{"id": "none"}]}, "charge_not_found"),
        ({"charges": [{"properties": {"amount": "1"}}]}, "charge_not_found"),
        ({"fixed_charges": [{"id": "none"}]}, "fixed_charge_not_found"),
        ({"tax_codes": ["none"]}, "tax_not_found"),
    ],
)
def test_overrides_of_what_is_not_there_are_404(world, values, code):
    with pytest.raises(NotFound) as refusal:
        world.child(**values)
    assert refusal.value.code == code


def test_children_are_neither_listed_nor_found_nor_counted(world):
    child = world.write(world.child(name="Deal"))
    assert store.children_ids(world.organization_id, world.parent.id) == [child.id]
    listed = world.story.ok("GET", "/plans")
    assert ([p["name"] for p in listed["plans"]], listed["meta"]["total_count"]) == (["plan"], 1)
    assert world.story.ok("GET", "/plans?search_term=deal")["plans"] == []
    assert world.story.ok("GET", "/plans/plan")["plan"]["name"] == "plan"
    assert [p["lago_id"] for p in listed["plans"]] == [world.parent.id]
    assert world.kept(child) == child
    (shown,) = serializer.show_all(world.organization_id, [child])
    assert (shown["code"], shown["parent_id"]) == ("plan", world.parent.id)
    assert shown["charges"][0]["lago_parent_id"] == world.parent.charges[0].id
    # It keeps its metrics in use, and its end frees neither code nor total.
    assert metric_store.attached(world.organization_id, child.charges[0].metric_id)
    PLANS.remove(world.organization_id, child, now=NOW)
    assert world.story.ok("GET", "/plans")["meta"]["total_count"] == 1
    assert world.story.call("GET", "/plans/plan").status == 200


def test_a_copy_of_what_has_changed_meanwhile_is_refused(world):
    parent = world.parent
    child = overrides.child(world.organization_id, parent, {}, now=NOW)
    world.put(name="Newer")
    with pytest.raises(Cancelled):
        Unit(
            overrides.create_actions(world.organization_id, child), store.current_action(world.organization_id, parent)
        ).commit()
    assert store.children_ids(world.organization_id, parent.id) == []


def test_subscriptions_of_a_plan_are_known_by_it(world):
    organization_id, plan_id = world.organization_id, world.parent.id
    pairs = [("c1", "s1"), ("c1", "s2"), ("c2", "s3")]
    Unit([subscribers.subscribed_action(organization_id, plan_id, *pair) for pair in pairs]).commit()
    Unit(subscribers.subscribed_action(organization_id, plan_id, *pairs[0])).commit()
    assert list(subscribers.subscribers(organization_id, plan_id)) == pairs
    Unit(
        [subscribers.unsubscribed_action(organization_id, plan_id, *pair) for pair in (*pairs[:2], ("c9", "s9"))]
    ).commit()
    assert list(subscribers.subscribers(organization_id, plan_id)) == pairs[2:]
    assert list(subscribers.subscribers(organization_id, "other")) == []
