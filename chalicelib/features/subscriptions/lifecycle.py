"""Lifecycle of subscriptions: the earliest step that is due, one at a time. Nothing is written here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, subscriptions, timeline
from chalicelib.domain.billing_line import BillingLine
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import change, endings, schedule, schemas
from chalicelib.features.subscriptions.records import FixedPaid, PendingInvoice, Status, Subscription
from chalicelib.features.subscriptions.schedule import LifecycleStep


@dataclass(frozen=True, slots=True)
class Outcome:
    """One subscription before and after, its billing line, and the events to emit. `unused_days`: days of its
    last fee that a credit note shall give back; `opens_period`: fees from here on belong to a new period; `next_plan`: the
    plan that follows an upgrade."""

    before: Subscription
    after: Subscription
    plan: Plan
    rows: tuple[BillingLine, ...] = ()
    events: tuple[str, ...] = ()
    unused_days: int = 0
    opens_period: bool = False
    next_plan: Plan | None = None

    def with_changes(self, **values: object) -> "Outcome":
        """The outcome with the subscription changed further."""
        return replace(self, after=self.after.model_copy(update=values))

    def with_line(self, line: BillingLine) -> "Outcome":
        """The outcome with one more billing line, usage billed up to its end."""
        billed_until = line.charges.end if line.bills_usage and line.charges else self.after.billed_until
        return replace(self, rows=(*self.rows, line)).with_changes(billed_until=billed_until)

    def emitting(self, *events: str) -> "Outcome":
        """The outcome with further events to emit."""
        return replace(self, events=(*self.events, *events))


@dataclass(frozen=True, slots=True)
class Decision:
    """One subscription's outcome, with that of the one that takes its place or waited for it. `apart`: its invoice is its
    own; billing days of a customer's subscriptions share one."""

    outcomes: tuple[Outcome, ...]
    apart: bool

    @property
    def bills(self) -> bool:
        """Whether anything goes on an invoice."""
        return any(outcome.rows for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class _Case:
    """A subscription to decide on. `next`: its successor, waiting or just started, as it stands now."""

    now: datetime
    zone: ZoneInfo
    plan: Plan
    next: Subscription | None
    next_plan: Plan | None


def decide_all(
    subscriptions_of: Sequence[Subscription],
    plans: Mapping[str, Plan],
    *,
    closing: bool,
    now: datetime,
    zone: ZoneInfo,
) -> list[Decision]:
    """Decisions due for a customer's subscriptions by `now`. `closing`: the customer was deleted.

    Each subscription takes one step, the earliest, so that a late run bills as punctual ones would have. The caller
    loops until nothing is due. Source: rules/billing-periods 4 to 9.
    """
    by_id = {s.id: s for s in subscriptions_of}
    waits = waiting_for_an_end(subscriptions_of)
    decided = []
    for subscription in subscriptions_of:
        if subscription.id in waits:
            continue
        following = by_id.get(subscription.next_id) if subscription.next_id else None
        next_plan = plans[following.plan_id] if following else None
        case = _Case(now, zone, plans[subscription.plan_id], following, next_plan)
        decision = _decide(subscription, case, closing=closing)
        if decision is not None:
            decided.append(decision)
    return decided


def waiting_for_an_end(subscriptions_of: Sequence[Subscription]) -> set[str]:
    """The ids of those that took a place by an upgrade whose end is still to be billed: they start on its invoice."""
    return {
        s.next_id
        for s in subscriptions_of
        if s.upgraded and s.next_id is not None and PendingInvoice.TERMINATING in s.occasions
    }


def _decide(subscription: Subscription, case: _Case, *, closing: bool) -> Decision | None:
    if closing and subscription.live:
        waits = subscription.status == Status.PENDING and subscription.previous_id is not None
        return (
            None
            if waits
            else Decision(_ended(Outcome(subscription, subscription, case.plan), case, case.now), apart=False)
        )
    due = [
        (at, what) for at, what in schedule.lifecycle_steps(subscription, case.plan, zone=case.zone) if at <= case.now
    ]
    if not due:
        return None
    order = list(LifecycleStep)
    at, what = min(due, key=lambda each: (each[0], order.index(each[1])))
    return _STEPS[what](Outcome(subscription, subscription, case.plan), case, at)


def _start(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    started = change.started(outcome.after, case.plan, started_at=at, now=at, zone=case.zone)
    outcome = replace(outcome, after=started).emitting("subscription.started")
    if PendingInvoice.STARTING in started.occasions:
        return _starting(outcome, case, at)
    return Decision((outcome,), apart=False)


def _starting(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    return Decision((_started(outcome, case.zone),), apart=True)


def _started(outcome: Outcome, zone: ZoneInfo, *, renews_on: date | None = None) -> Outcome:
    plan_terms, life = schedule.terms_of(outcome.plan), schedule.life_of(outcome.after)
    row = subscriptions.starting(plan_terms, life, zone)
    if renews_on is not None:
        row = replace(row, renewed=subscriptions.renewed(plan_terms, life, renews_on, zone))
    left = tuple(occasion for occasion in outcome.after.occasions if occasion != PendingInvoice.STARTING)
    # Usage is open from here on, wherever a move of the customer puts the boundaries.
    since = outcome.after.billed_until or outcome.after.started_at
    return replace(outcome.with_line(row).with_changes(occasions=left, billed_until=since), opens_period=True)


def _alert(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    left = tuple(day for day in outcome.after.alerts_on if periods.start_of_day(day, case.zone) > at)
    return Decision((outcome.with_changes(alerts_on=left).emitting("subscription.termination_alert"),), apart=False)


def _dated_end(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    return Decision(_ended(outcome, case, at), apart=False)


def _ended(outcome: Outcome, case: _Case, at: datetime) -> tuple[Outcome, ...]:
    """The end of a subscription, and of the change of plan that waited for its period's end."""
    ended = endings.ended(outcome.after, outcome.plan, schemas.Termination(), at=at)
    events = ("subscription.terminated",) if ended.status == Status.TERMINATED else ()
    outcomes = [replace(outcome, after=ended).emitting(*events)]
    if case.next is not None and case.next.status == Status.PENDING:
        assert case.next_plan is not None
        canceled = endings.ended(case.next, case.next_plan, schemas.Termination(), at=at)
        outcomes = [
            outcomes[0].with_changes(next_id=None, next_plan_code=None),
            Outcome(case.next, canceled, case.next_plan),
        ]
    return tuple(outcomes)


def _period(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    subscription, zone = outcome.after, case.zone
    plan_terms, life = schedule.terms_of(outcome.plan), schedule.life_of(subscription)
    on = _billing_day(outcome, zone)
    opens = timeline.opens_period(plan_terms, life, on, zone)
    waiting = case.next if case.next is not None and case.next.status == Status.PENDING else None
    # A change asked for after the day began, and before this run of it, waits for the next period.
    if waiting is not None and waiting.created_at < at and opens and subscription.status == Status.ACTIVE:
        return _rotation(outcome, case, at)
    row = subscriptions.periodic(plan_terms, life, on, zone)
    billed = replace(outcome.with_line(row).with_changes(billed_on=on), opens_period=opens)
    return Decision((billed,), apart=not subscription.consolidate_invoice)


def _billing_day(outcome: Outcome, zone: ZoneInfo) -> date:
    """The earliest billing day not carried out."""
    after = schedule.last_day(outcome.after, zone)
    return timeline.next_billing_day(
        schedule.terms_of(outcome.plan), schedule.life_of(outcome.after), after=after, zone=zone
    )


def _rotation(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    """A cheaper plan takes its turn: the old one's last period and the new one's first, on an invoice of their own.

    Both change hands at the local midnight that opens the period, so that no usage lies between them.
    Source: rules/billing-periods 7.2.
    """
    assert case.next is not None
    assert case.next_plan is not None
    on = _billing_day(outcome, case.zone)
    row = subscriptions.ending_with_period(
        schedule.terms_of(outcome.plan), schedule.life_of(outcome.after), on, case.zone
    )
    ended = {"status": Status.TERMINATED, "terminated_at": at, "updated_at": at, "billed_on": on}
    old = outcome.with_line(row).with_changes(**ended).emitting("subscription.terminated")
    started = change.started(case.next, case.next_plan, started_at=at, now=at, zone=case.zone)
    new = Outcome(case.next, started, case.next_plan).emitting("subscription.started")
    if PendingInvoice.STARTING in started.occasions or case.next_plan.charges_in_advance:
        # Units paid in advance are renewed by the plan of that day. Source: rules/usage 7.1.
        new = _started(new, case.zone, renews_on=on)
    return Decision((old, new), apart=True)


def _units(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    row = subscriptions.units_changed(schedule.terms_of(outcome.plan), schedule.life_of(outcome.after), at, case.zone)
    return Decision((outcome.with_line(row).with_changes(units_changed_at=None),), apart=True)


def _trial(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    outcome = outcome.with_changes(trial_ended_at=at).emitting("subscription.trial_ended")
    if _fee_has_been_owed(outcome, at, case.zone):
        return Decision((outcome,), apart=False)
    row = subscriptions.trial_ended(schedule.terms_of(outcome.plan), schedule.life_of(outcome.after), case.zone)
    return Decision((outcome.with_line(row),), apart=True)


def _fee_has_been_owed(outcome: Outcome, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the trial's end makes no invoice of its own: in arrears, or where that day's start or run billed the fee."""
    subscription, on = outcome.after, periods.local_date(at, zone)
    assert subscription.started_at is not None
    # A day without an invoice is that of a start in the past, not of a run.
    ran_today = subscription.billed_on == on and subscription.invoiced
    if not outcome.plan.pay_in_advance or subscription.last_fee is not None:
        return True
    if subscription.trial_ends_at is not None:  # That day's start or run did not know that the trial would end on it.
        return False
    return ran_today or on <= periods.local_date(subscription.started_at, zone)


def _last(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    """The final invoice: in full where it takes the place of a billing day's run, and with the first one of the plan that
    follows an upgrade."""
    subscription, zone = outcome.after, case.zone
    plan_terms, life = schedule.terms_of(outcome.plan), schedule.life_of(subscription)
    on = _billing_day(outcome, zone)
    outcome = replace(outcome.with_changes(occasions=()), unused_days=_unused_days(outcome, zone))
    # The same local day, as `schedule.lifecycle_steps` has it: a billing day that the zone leaves out is billed on the next.
    same_day = periods.local_date(periods.start_of_day(on, zone), zone) == periods.local_date(at, zone)
    if same_day and not subscription.upgraded:
        outcome = outcome.with_line(subscriptions.ending_with_period(plan_terms, life, on, zone)).with_changes(
            billed_on=on
        )
    elif subscription.upgraded or subscription.on_termination_invoice != "skip":
        outcome = outcome.with_line(subscriptions.ending(plan_terms, life, zone))
    outcomes = [outcome]
    if subscription.upgraded and case.next is not None and case.next_plan is not None:
        outcomes = [replace(outcome, next_plan=case.next_plan)]
        if PendingInvoice.STARTING in case.next.occasions:
            starting = case.next.model_copy(
                update={"fixed_carried": _still_paid(subscription, periods.local_date(at, zone))}
            )
            outcomes.append(_started(Outcome(case.next, starting, case.next_plan), zone))
    return Decision(tuple(outcomes), apart=True)


def _still_paid(subscription: Subscription, on: date) -> tuple[FixedPaid, ...]:
    """Fixed charges paid in advance beyond a day, by the plans before as well: of those only the rest was deducted."""
    return tuple(paid for paid in (*subscription.fixed_carried, *subscription.fixed_paid) if paid.end > on)


def _unused_days(outcome: Outcome, zone: ZoneInfo) -> int:
    """Days that were paid in advance and are left. Source: rules/billing-periods 7.4."""
    subscription = outcome.after
    if (
        not outcome.plan.pay_in_advance
        or subscription.last_fee is None
        or subscription.on_termination_credit_note == "skip"
    ):
        return 0
    end = subscription.last_fee.period_end
    return subscriptions.unused_days(schedule.terms_of(outcome.plan), schedule.life_of(subscription), end, zone)


_STEPS: dict[LifecycleStep, Callable[[Outcome, _Case, datetime], Decision]] = {
    LifecycleStep.START: _start,
    LifecycleStep.STARTING: _starting,
    LifecycleStep.ALERT: _alert,
    LifecycleStep.END: _dated_end,
    LifecycleStep.PERIOD: _period,
    LifecycleStep.UNITS: _units,
    LifecycleStep.TRIAL: _trial,
    LifecycleStep.LAST: _last,
}
