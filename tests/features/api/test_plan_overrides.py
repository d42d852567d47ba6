"""Children of plans: what a subscription overrides, and what it takes over when the plan changes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.features.billable_metrics import store as metric_store
from chalicelib.features.plans import changes, jobs, overrides, serializer, store
from chalicelib.features.plans.store import PLANS, Plan
from chalicelib.platform import agenda
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.table import Cancelled, transact
from tests.support.story import Story

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """A plan with charges, fixed charges and a commitment, and what it takes to override it."""

    story: Story
    organization_id: str

    @property
    def ref(self) -> OrganizationRef:
        return OrganizationRef(self.organization_id, sandbox=True)

    @property
    def parent(self) -> Plan:
        plan = PLANS.find(self.organization_id, "plan")
        assert plan is not None
        return plan

    def child(self, **values: Any) -> Plan:
        """A new child, not written."""
        return overrides.child(self.organization_id, self.parent, values, now=NOW)

    def write(self, child: Plan) -> Plan:
        """The child, written."""
        transact(overrides.create_actions(self.organization_id, child))
        return child

    def kept(self, child: Plan) -> Plan:
        """The child as it stands."""
        plan = PLANS.get(self.organization_id, child.id)
        assert plan is not None
        return plan

    def put(self, **fields: Any) -> Any:
        """A change of the plan that its children follow."""
        return self.story.ok("PUT", "/plans/plan", {"plan": {"cascade_updates": True, **fields}})["plan"]


@pytest.fixture
def world(story) -> World:
    """The plan: 10.00 a month, calls at 1, sms at 2; seats 5 at 3; 50.00 committed."""
    story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    for code in ("seat", "desk"):
        body = {"name": code, "code": code, "amount_cents": 100, "amount_currency": "EUR"}
        story.ok("POST", "/add_ons", {"add_on": body})
    metrics = [story.metric(code) for code in ("calls", "sms", "late")]
    story.plan(
        amount_cents=1000,
        trial_period=3,
        description="Parent",
        charges=[usage(metrics[0], "1"), usage(metrics[1], "2")],
        fixed_charges=[seats(units=5)],
        minimum_commitment={"amount_cents": 5000},
        metadata={"tier": "gold"},
    )
    return World(story, story.ok("GET", "/organizations")["organization"]["lago_id"])


def usage(metric: Any, amount: str, **fields: Any) -> dict[str, Any]:
    properties = {"properties": {"amount": amount}}
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", **properties, **fields}


def seats(code: str = "seat", **fields: Any) -> dict[str, Any]:
    return {"add_on_code": code, "charge_model": "standard", "properties": {"amount": "3"}, **fields}


# Making a child.


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
    assert [p.id for p in PLANS.all(world.organization_id)] == [world.parent.id]
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
        transact(
            [
                *overrides.create_actions(world.organization_id, child),
                store.current_action(world.organization_id, parent),
            ]
        )
    assert store.children_ids(world.organization_id, parent.id) == []


# The parent changes.


def test_what_was_not_overridden_follows_the_parent(world):
    child = world.write(
        world.child(amount_cents=700, charges=[{"id": world.parent.charges[0].id, "tax_codes": ["vat"]}])
    )
    calls, sms = world.parent.charges
    (seat,) = world.parent.fixed_charges
    world.put(
        amount_cents=2000,
        name="New",
        invoice_display_name="Shown",
        description=None,
        tax_codes=["vat"],
        metadata={"tier": "silver"},
        minimum_commitment={"amount_cents": 6000},
        charges=[
            {"id": calls.id, "properties": {"amount": "9"}, "tax_codes": []},
            {"id": sms.id, "invoice_display_name": "Texts"},
        ],
        fixed_charges=[{"id": seat.id, "units": 7, "apply_units_immediately": True, "properties": {"amount": "4"}}],
    )
    after = world.kept(child)
    assert after.amount_cents == 700  # Its own.
    assert (after.name, after.invoice_display_name, after.description) == ("New", "Shown", None)
    assert (after.metadata, len(after.tax_ids)) == ({"tier": "silver"}, 1)
    assert (after.minimum_commitment.amount_cents, after.minimum_commitment.id) == (6000, child.minimum_commitment.id)
    assert [c.id for c in after.charges] == [c.id for c in child.charges]
    assert (after.charges[0].properties, len(after.charges[0].tax_ids)) == ({"amount": "9"}, 1)
    assert after.charges[1].invoice_display_name == "Texts"
    (own,) = after.fixed_charges
    assert (own.units, own.first_units, own.properties) == ("7", "5", {"amount": "4"})
    assert [(c.units, c.at, c.immediately) for c in own.changes] == [("7", NOW, True)]
    assert (after.parent_version, after.version) == (world.parent.version, 1)


def test_what_was_overridden_stays(world):
    parent = world.parent
    (seat,) = parent.fixed_charges
    child = world.write(
        world.child(
            name="Deal",
            minimum_commitment={"amount_cents": 1},
            charges=[{"id": parent.charges[0].id, "properties": {"amount": "5"}}],
            fixed_charges=[{"id": seat.id, "units": 50}],
        )
    )
    world.put(
        name="New",
        minimum_commitment=None,
        charges=[{"id": parent.charges[0].id, "properties": {"amount": "9"}}, {"id": parent.charges[1].id}],
        fixed_charges=[{"id": seat.id, "units": 7}],
    )
    after = world.kept(child)
    assert (after.name, after.minimum_commitment.amount_cents) == ("Deal", 1)
    assert after.charges[0].properties == {"amount": "5"}
    assert (after.fixed_charges[0].units, after.fixed_charges[0].changes) == ("50", ())


def test_parts_come_and_go_with_the_parent(world):
    parent = world.parent
    child = world.write(world.child(charges=[{"id": parent.charges[0].id, "properties": {"amount": "5"}}]))
    late = world.story.ok("GET", "/billable_metrics/late")["billable_metric"]
    world.put(
        charges=[{"id": parent.charges[1].id}, usage(late, "8")],
        fixed_charges=[seats("desk", units=2)],
        minimum_commitment=None,
    )
    after, parent = world.kept(child), world.parent
    assert [(c.code, c.parent_id) for c in after.charges] == [(c.code, c.id) for c in parent.charges]
    assert [c.code for c in after.charges] == ["sms", "late"]
    assert [(c.code, c.parent_id, c.units) for c in after.fixed_charges] == [("desk", parent.fixed_charges[0].id, "2")]
    assert not {c.id for c in after.charges} & {c.id for c in parent.charges}
    assert after.minimum_commitment is None
    assert metric_store.attached(world.organization_id, late["lago_id"])
    assert not metric_store.attached(world.organization_id, child.charges[0].metric_id)


def test_without_cascade_updates_children_keep_what_they_have(world):
    child = world.write(world.child())
    world.put(cascade_updates=False, name="New", charges=[], fixed_charges=[], minimum_commitment=None)
    assert world.kept(child) == child
    # What left the parent unseen is the child's own by now; what comes later reaches it.
    world.put(amount_cents=3000)
    assert (world.kept(child).name, world.kept(child).amount_cents, len(world.kept(child).charges)) == ("plan", 3000, 2)


def test_a_code_that_a_child_has_kept_is_not_given_twice(world):
    child = world.write(world.child())
    world.put(cascade_updates=False, charges=[])
    calls = world.story.ok("GET", "/billable_metrics/calls")["billable_metric"]
    world.put(charges=[usage(calls, "3")])
    assert [c.code for c in world.kept(child).charges] == ["calls", "sms", "calls_2"]


@pytest.mark.parametrize(
    ("method", "path", "body", "seen"),
    [
        ("POST", "charges", {"charge": {"metric": "late", "charge_model": "standard"}}, ["calls", "sms", "late"]),
        ("PUT", "charges/sms", {"charge": {"invoice_display_name": "x"}}, ["calls", "sms"]),
        ("DELETE", "charges/sms", {"charge": {}}, ["calls"]),
        ("POST", "fixed_charges", {"fixed_charge": seats("desk")}, ["seat", "desk"]),
        ("PUT", "fixed_charges/seat", {"fixed_charge": {"units": 9}}, ["seat"]),
        ("DELETE", "fixed_charges/seat", {"fixed_charge": {}}, []),
    ],
)
def test_single_parts_cascade_when_they_say_so(world, method, path, body, seen):
    ((root, fields),) = body.items()
    fields = dict(fields)
    if "metric" in fields:
        metric = world.story.ok("GET", f"/billable_metrics/{fields.pop('metric')}")
        fields["billable_metric_id"] = metric["billable_metric"]["lago_id"]
    child = world.write(world.child())
    world.story.ok(method, f"/plans/plan/{path}", {root: {**fields, "cascade_updates": True}})
    after = world.kept(child)
    own, theirs = getattr(after, f"{root}s"), getattr(world.parent, f"{root}s")
    assert [c.code for c in own] == [c.code for c in theirs] == seen
    names = {"id", "parent_id"}
    assert [c.model_dump(exclude=names) for c in own] == [c.model_dump(exclude=names) for c in theirs]


# The job.


def cascaded(world: World, amount_cents: int) -> agenda.Task:
    """A change written with its task, which nobody has run yet."""
    old = world.parent
    new = old.changed(now=NOW, amount_cents=amount_cents)
    _, tasks = changes.replace(world.ref, old, new, cascade=True, now=NOW)
    return tasks[-1]


def test_changes_reach_children_in_their_order_whatever_runs_first(world):
    child = world.write(world.child())
    first, second, third = (cascaded(world, cents) for cents in (2000, 3000, 1000))
    jobs.pass_on(second, NOW)
    assert world.kept(child).amount_cents == 3000
    jobs.pass_on(first, NOW)  # Nothing left to do, and nothing is taken back.
    assert world.kept(child).amount_cents == 3000
    jobs.pass_on(third, NOW)
    assert world.kept(child).amount_cents == 1000
    assert list(store.steps(world.organization_id, world.parent.id, until=99)) == []
    assert agenda.find(first.key) is agenda.find(second.key) is agenda.find(third.key) is None


def test_a_change_passed_on_twice_is_passed_on_once(world, monkeypatch):
    children = [world.write(world.child()) for _ in range(3)]
    task = cascaded(world, 2000)
    written: list[str] = []
    replace = type(PLANS).replace

    def failing(self: Any, organization_id: str, old: Plan, new: Plan, extra: Any = ()) -> Plan:
        if len(written) == 2:
            raise RuntimeError("killed")
        written.append(old.id)
        return replace(self, organization_id, old, new, extra)

    monkeypatch.setattr(type(PLANS), "replace", failing)
    with pytest.raises(RuntimeError):
        jobs.pass_on(task, NOW)
    assert agenda.find(task.key) is not None
    monkeypatch.setattr(type(PLANS), "replace", replace)
    # One that has followed is changed back by its own subscription meanwhile: that stays.
    own = world.kept(next(child for child in children if child.id == written[0]))
    PLANS.replace(
        world.organization_id, own, overrides.changed(world.organization_id, own, {"amount_cents": 1000}, now=NOW)
    )
    jobs.pass_on(task, NOW)
    assert sorted(world.kept(child).amount_cents for child in children) == [1000, 2000, 2000]
    assert {world.kept(child).version for child in children} == {1, 2}


def test_a_child_written_meanwhile_is_read_again(world, monkeypatch):
    child = world.write(world.child())
    task = cascaded(world, 2000)
    get_many = type(PLANS).get_many

    def stale(self: Any, organization_id: str, ids: Any) -> Any:
        found = get_many(self, organization_id, ids)
        for old in found.values():  # Somebody is quicker.
            PLANS.replace(organization_id, old, old.changed(now=NOW, name="Deal"))
        return found

    monkeypatch.setattr(type(PLANS), "get_many", stale)
    jobs.pass_on(task, NOW)
    assert (world.kept(child).name, world.kept(child).amount_cents) == ("Deal", 2000)


def test_a_child_that_never_rests_fails_the_task(world, monkeypatch):
    world.write(world.child())
    task = cascaded(world, 2000)

    def refused(*values: Any) -> Plan:
        raise Conflict("plan_changed_meanwhile")

    monkeypatch.setattr(type(PLANS), "replace", refused)
    with pytest.raises(Conflict):
        jobs.pass_on(task, NOW)
    assert agenda.find(task.key) is not None


def test_a_child_of_the_changed_plan_does_not_follow_what_is_in_it_already(world):
    task = cascaded(world, 2000)
    child = world.write(world.child(amount_cents=1000))  # As the plan was before, but of its own will.
    jobs.pass_on(task, NOW)
    assert world.kept(child) == child


# The subscriptions of a plan.


def test_subscriptions_of_a_plan_are_known_by_it(world):
    organization_id, plan_id = world.organization_id, world.parent.id
    pairs = [("c1", "s1"), ("c1", "s2"), ("c2", "s3")]
    transact([store.subscribed_action(organization_id, plan_id, *pair) for pair in pairs])
    transact([store.subscribed_action(organization_id, plan_id, *pairs[0])])
    assert list(store.subscribers(organization_id, plan_id)) == pairs
    transact([store.unsubscribed_action(organization_id, plan_id, *pair) for pair in (*pairs[:2], ("c9", "s9"))])
    assert list(store.subscribers(organization_id, plan_id)) == pairs[2:]
    assert list(store.subscribers(organization_id, "other")) == []
