"""What children of a plan take over when it changes, and the job that passes it on. Source: rules/catalog 2.1."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib import limits
from chalicelib.domain.errors import ChangedMeanwhile
from chalicelib.features.billable_metrics import store as metric_store
from chalicelib.features.plans import changes, store
from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.records import Plan
from chalicelib.features.plans.store import PLANS
from chalicelib.platform import agenda
from chalicelib.tasks import plans as jobs
from tests.support.children import NOW, World, seats, usage


@pytest.fixture
def world(story) -> World:
    return World.begin(story)


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
        raise ChangedMeanwhile("plan")

    monkeypatch.setattr(type(PLANS), "replace", refused)
    monkeypatch.setattr(limits, "CHANGE_RETRIED_FOR", timedelta(milliseconds=100))
    with pytest.raises(ChangedMeanwhile):
        jobs.pass_on(task, NOW)
    assert agenda.find(task.key) is not None


def test_a_child_of_the_changed_plan_does_not_follow_what_is_in_it_already(world):
    task = cascaded(world, 2000)
    child = world.write(world.child(amount_cents=1000))  # As the plan was before, but of its own will.
    jobs.pass_on(task, NOW)
    assert world.kept(child) == child
