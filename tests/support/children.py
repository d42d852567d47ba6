"""A plan with all kinds of parts, and the children that override it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.features.plans.overrides import overrides
from chalicelib.features.plans.records import Plan
from chalicelib.features.plans.store import PLANS
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.unit import Unit
from tests.support.story import Story

NOW = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """A plan with charges, fixed charges and a commitment, and what it takes to override it."""

    story: Story
    organization_id: str

    @classmethod
    def begin(cls, story: Story) -> "World":
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
        return cls(story, story.ok("GET", "/organizations")["organization"]["lago_id"])

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
        Unit(overrides.create_actions(self.organization_id, child)).commit()
        return child

    def kept(self, child: Plan) -> Plan:
        """The child as it stands."""
        plan = PLANS.get(self.organization_id, child.id)
        assert plan is not None
        return plan

    def put(self, **fields: Any) -> Any:
        """A change of the plan that its children follow."""
        return self.story.ok("PUT", "/plans/plan", {"plan": {"cascade_updates": True, **fields}})["plan"]


def usage(metric: Any, amount: str, **fields: Any) -> dict[str, Any]:
    properties = {"properties": {"amount": amount}}
    return {"billable_metric_id": metric["lago_id"], "charge_model": "standard", **properties, **fields}


def seats(code: str = "seat", **fields: Any) -> dict[str, Any]:
    return {"add_on_code": code, "charge_model": "standard", "properties": {"amount": "3"}, **fields}
