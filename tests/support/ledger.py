"""A customer's billing without storage: what `decide_all` decides is carried out on records in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.billing_line import BillingLine
from chalicelib.features.invoicing import run
from chalicelib.features.plans.records import FixedCharge, Plan
from chalicelib.features.subscriptions import change, endings, lifecycle, schemas
from chalicelib.features.subscriptions.lifecycle import Outcome
from chalicelib.features.subscriptions.records import LastFee, PendingInvoice, Status, Subscription


def plan(plan_id: str, *, fixed_in_advance: bool = False, **fields: Any) -> Plan:
    """A plan, monthly and in arrears where nothing else is said."""
    at = datetime(2000, 1, 1, tzinfo=UTC)
    common = {"id": plan_id, "created_at": at, "updated_at": at, "name": plan_id, "code": plan_id}
    charges = ()
    if fixed_in_advance:
        charges = (
            FixedCharge(
                id=f"{plan_id}-seats",
                code="seats",
                add_on_id="seats",
                charge_model="standard",
                created_at=at,
                properties={"amount": "1"},
                units="10",
                first_units="10",
                pay_in_advance=True,
            ),
        )
    values = {"interval": "monthly", "amount_cents": 3000, "amount_currency": "EUR", "fixed_charges": charges}
    return Plan.model_validate({**common, **values, **fields})


@dataclass
class Ledger:
    """One customer's subscriptions, and all that was billed for them: per subscription its rows; per invoice its
    instant with the rows on it."""

    zone: ZoneInfo
    plans: dict[str, Plan]
    now: datetime
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    rows: dict[str, list[BillingLine]] = field(default_factory=dict)
    unused_days: dict[str, int] = field(default_factory=dict)
    invoices: list[tuple[datetime, tuple[tuple[str, BillingLine], ...]]] = field(default_factory=list)

    # Time.

    @property
    def due_at(self) -> datetime | None:
        """Next due time of billing."""
        return run.next_due_at(list(self.subscriptions.values()), self.plans, self)  # type: ignore[arg-type]

    def bill(self, until: datetime, *, late: bool = False) -> None:
        """Carry out what is due, each thing at its instant as a clock does it, or (`late`) all of it only now."""
        assert until >= self.now
        self.now = until
        while (due := self.due_at) is not None and due <= until:
            self._carry_out(until if late else due)

    def _carry_out(self, now: datetime) -> None:
        known = sorted(self.subscriptions.values(), key=lambda s: (s.created_at, s.id))
        decisions = lifecycle.decide_all(known, self.plans, closing=False, now=now, zone=self.zone)
        chosen = run.next_group(decisions)
        assert chosen, "what is due is decided"
        lines = [(o.after.id, row) for each in chosen for o in each.outcomes for row in o.rows]
        if lines:
            self.invoices.append((now, tuple(lines)))
        for outcome in (o for each in chosen for o in each.outcomes):
            assert outcome.after != outcome.before, "a decision changes something"
            self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        of = outcome.after
        for row in outcome.rows:
            self.rows.setdefault(of.id, []).append(row)
            of = of.model_copy(update={"invoiced": True, "zone": self.zone.key})
            if row.fee is not None:
                last = LastFee(
                    invoice_id=f"of {row.fee.span.start}",
                    fee_id="fee",
                    amount_cents=row.fee.days,
                    period_start=row.fee.whole.start,
                    period_end=row.fee.whole.end,
                    plan_amount_cents=outcome.plan.amount_cents,
                )
                of = of.model_copy(update={"last_fee": last})
        if outcome.unused_days:
            self.unused_days[of.id] = outcome.unused_days
        self.subscriptions[of.id] = of

    # Acts of a person.

    def subscribe(
        self,
        name: str,
        plan_id: str,
        *,
        at: datetime | None = None,
        billing_time: str = "calendar",
        ending_at: datetime | None = None,
        consolidate: bool = True,
    ) -> None:
        """A new subscription, from `at` on (default: now)."""
        on = (at or self.now).replace(microsecond=0)
        of = Subscription(
            id=name,
            created_at=self.now,
            updated_at=self.now,
            external_id=name,
            customer_id="cust",
            external_customer_id="cust",
            plan_id=plan_id,
            plan_code=plan_id,
            status=Status.PENDING,
            billing_time=billing_time,
            subscription_at=on,
            ending_at=ending_at,
            consolidate_invoice=consolidate,
            on_termination_credit_note="credit" if self.plans[plan_id].pay_in_advance else None,
        )
        if periods.local_date(on, self.zone) <= periods.local_date(self.now, self.zone):
            of = change.started(of, self.plans[plan_id], started_at=on, now=self.now, zone=self.zone)
        self.subscriptions[name] = of

    def active(self, external_id: str) -> Subscription | None:
        """The active subscription of an external id."""
        found = (s for s in self.subscriptions.values() if s.external_id == external_id and s.status == Status.ACTIVE)
        return next(found, None)

    def waiting(self, of: Subscription) -> Subscription | None:
        """The change of plan that waits for its period's end."""
        following = self.subscriptions.get(of.next_id or "")
        return following if following is not None and following.status == Status.PENDING else None

    def end(self, of: Subscription, *, invoice: str = "generate") -> None:
        """End a subscription now."""
        request = schemas.Termination(on_termination_invoice=invoice)
        self._drop_waiting(of)
        self.subscriptions[of.id] = endings.ended(
            self.subscriptions[of.id], self.plans[of.plan_id], request, at=self.now
        )

    def downgrade(self, of: Subscription, plan_id: str) -> None:
        """Another plan from the next period on."""
        self._drop_waiting(of)
        new = self._successor(of, plan_id)
        self.subscriptions[new.id] = new
        self.subscriptions[of.id] = of.model_copy(update={"next_id": new.id, "next_plan_code": new.plan_code})

    def upgrade(self, of: Subscription, plan_id: str) -> None:
        """Another plan now."""
        assert of.started_at is not None
        self._drop_waiting(of)
        at = max(self.now.replace(microsecond=0), of.started_at)
        new = change.started(
            self._successor(of, plan_id), self.plans[plan_id], started_at=at, now=self.now, zone=self.zone
        )
        self.subscriptions[new.id] = new
        ended = {"status": Status.TERMINATED, "terminated_at": at, "upgraded": True, "next_id": new.id}
        occasions = (*of.occasions, PendingInvoice.TERMINATING)
        self.subscriptions[of.id] = of.model_copy(update={**ended, "occasions": occasions})

    def _successor(self, of: Subscription, plan_id: str) -> Subscription:
        return Subscription(
            id=f"{of.id}>{plan_id} at {self.now}",
            created_at=self.now,
            updated_at=self.now,
            external_id=of.external_id,
            customer_id=of.customer_id,
            external_customer_id=of.external_customer_id,
            plan_id=plan_id,
            plan_code=plan_id,
            status=Status.PENDING,
            billing_time=of.billing_time,
            subscription_at=of.subscription_at,
            first_started_at=of.first_started_at,
            ending_at=of.ending_at,
            previous_id=of.id,
            previous_plan_code=of.plan_code,
            consolidate_invoice=of.consolidate_invoice,
            on_termination_credit_note="credit" if self.plans[plan_id].pay_in_advance else None,
        )

    def _drop_waiting(self, of: Subscription) -> None:
        waiting = self.waiting(of)
        if waiting is not None:
            canceled = {"status": Status.CANCELED, "canceled_at": self.now}
            self.subscriptions[waiting.id] = waiting.model_copy(update=canceled)
            self.subscriptions[of.id] = of.model_copy(update={"next_id": None, "next_plan_code": None})
