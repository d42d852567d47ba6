"""What happens to a subscription at an instant: the earliest thing that is due, one at a time. Nothing is written here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import lives, periods, subscriptions
from chalicelib.domain.subscriptions import Row
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions import change, schemas, service, terms
from chalicelib.features.subscriptions.records import FixedPaid, Occasion, Status, Subscription
from chalicelib.features.subscriptions.terms import Happening


@dataclass(frozen=True, slots=True)
class Outcome:
    """One subscription before and after, what is billed for it, and what is told about it. `unused_days`: days of its
    last fee that a credit note shall give back; `opens_period`: fees from here on belong to a new period; `next_plan`: the
    plan that follows an upgrade."""

    before: Subscription
    after: Subscription
    plan: Plan
    rows: tuple[Row, ...] = ()
    news: tuple[str, ...] = ()
    unused_days: int = 0
    opens_period: bool = False
    next_plan: Plan | None = None

    def then(self, **values: object) -> "Outcome":
        """The outcome with the subscription changed further."""
        return replace(self, after=self.after.model_copy(update=values))

    def billing(self, row: Row) -> "Outcome":
        """The outcome with one row more, usage billed up to its end."""
        billed_until = row.charges.end if row.bills_usage and row.charges else self.after.billed_until
        return replace(self, rows=(*self.rows, row)).then(billed_until=billed_until)

    def telling(self, *news: str) -> "Outcome":
        """The outcome with more to tell."""
        return replace(self, news=(*self.news, *news))


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
    """What is due for a customer's subscriptions by `now`. `closing`: the customer was deleted.

    One thing per subscription, the earliest first, so that a late run bills what punctual ones would have billed: who
    calls comes back until nothing is due. Source: rules/billing-periods 4 to 9.
    """
    by_id = {s.id: s for s in subscriptions_of}
    waits = waiting_for_an_end(subscriptions_of)
    decided = []
    for of in subscriptions_of:
        if of.id in waits:
            continue
        following = by_id.get(of.next_id or "")
        next_plan = plans[following.plan_id] if following else None
        case = _Case(now, zone, plans[of.plan_id], following, next_plan)
        decision = _decide(of, case, closing=closing)
        if decision is not None:
            decided.append(decision)
    return decided


def waiting_for_an_end(subscriptions_of: Sequence[Subscription]) -> set[str]:
    """The ids of those that took a place by an upgrade whose end is still to be billed: they start on its invoice."""
    return {
        s.next_id
        for s in subscriptions_of
        if s.upgraded and s.next_id is not None and Occasion.TERMINATING in s.occasions
    }


def _decide(of: Subscription, case: _Case, *, closing: bool) -> Decision | None:
    if closing and of.live:
        waits = of.status == Status.PENDING and of.previous_id is not None
        return None if waits else Decision(_ended(Outcome(of, of, case.plan), case, case.now), apart=False)
    due = [(at, what) for at, what in terms.happenings(of, case.plan, zone=case.zone) if at <= case.now]
    if not due:
        return None
    order = list(Happening)
    at, what = min(due, key=lambda each: (each[0], order.index(each[1])))
    return _STEPS[what](Outcome(of, of, case.plan), case, at)


def _start(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    started = change.started(outcome.after, case.plan, started_at=at, now=at, zone=case.zone)
    outcome = replace(outcome, after=started).telling("subscription.started")
    if Occasion.STARTING in started.occasions:
        return _starting(outcome, case, at)
    return Decision((outcome,), apart=False)


def _starting(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    return Decision((_started(outcome, case.zone),), apart=True)


def _started(outcome: Outcome, zone: ZoneInfo, *, renews_on: date | None = None) -> Outcome:
    plan_terms, life = terms.terms_of(outcome.plan), terms.life_of(outcome.after)
    row = subscriptions.starting(plan_terms, life, zone)
    if renews_on is not None:
        row = replace(row, renewed=subscriptions.renewed(plan_terms, life, renews_on, zone))
    left = tuple(occasion for occasion in outcome.after.occasions if occasion != Occasion.STARTING)
    # Usage is open from here on, wherever a move of the customer puts the boundaries.
    since = outcome.after.billed_until or outcome.after.started_at
    return replace(outcome.billing(row).then(occasions=left, billed_until=since), opens_period=True)


def _alert(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    left = tuple(day for day in outcome.after.alerts_on if periods.start_of_day(day, case.zone) > at)
    return Decision((outcome.then(alerts_on=left).telling("subscription.termination_alert"),), apart=False)


def _dated_end(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    return Decision(_ended(outcome, case, at), apart=False)


def _ended(outcome: Outcome, case: _Case, at: datetime) -> tuple[Outcome, ...]:
    """The end of a subscription, and of the change of plan that waited for its period's end."""
    ended = service.ended(outcome.after, outcome.plan, schemas.Termination(), at=at)
    news = ("subscription.terminated",) if ended.status == Status.TERMINATED else ()
    outcomes = [replace(outcome, after=ended).telling(*news)]
    if case.next is not None and case.next.status == Status.PENDING:
        assert case.next_plan is not None
        canceled = service.ended(case.next, case.next_plan, schemas.Termination(), at=at)
        outcomes = [outcomes[0].then(next_id=None, next_plan_code=None), Outcome(case.next, canceled, case.next_plan)]
    return tuple(outcomes)


def _period(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    of, zone = outcome.after, case.zone
    plan_terms, life = terms.terms_of(outcome.plan), terms.life_of(of)
    on = _billing_day(outcome, zone)
    opens = lives.opens_period(plan_terms, life, on, zone)
    waiting = case.next if case.next is not None and case.next.status == Status.PENDING else None
    # A change asked for after the day began, and before this run of it, waits for the next period.
    if waiting is not None and waiting.created_at < at and opens and of.status == Status.ACTIVE:
        return _rotation(outcome, case, at)
    row = subscriptions.periodic(plan_terms, life, on, zone)
    billed = replace(outcome.billing(row).then(billed_on=on), opens_period=opens)
    return Decision((billed,), apart=not of.consolidate_invoice)


def _billing_day(outcome: Outcome, zone: ZoneInfo) -> date:
    """The earliest billing day not carried out."""
    after = terms.last_day(outcome.after, zone)
    return lives.next_billing_day(terms.terms_of(outcome.plan), terms.life_of(outcome.after), after=after, zone=zone)


def _rotation(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    """A cheaper plan takes its turn: the old one's last period and the new one's first, on an invoice of their own.

    Both change hands at the local midnight that opens the period, so that no usage lies between them.
    Source: rules/billing-periods 7.2.
    """
    assert case.next is not None
    assert case.next_plan is not None
    on = _billing_day(outcome, case.zone)
    row = subscriptions.ending_with_period(terms.terms_of(outcome.plan), terms.life_of(outcome.after), on, case.zone)
    ended = {"status": Status.TERMINATED, "terminated_at": at, "updated_at": at, "billed_on": on}
    old = outcome.billing(row).then(**ended).telling("subscription.terminated")
    started = change.started(case.next, case.next_plan, started_at=at, now=at, zone=case.zone)
    new = Outcome(case.next, started, case.next_plan).telling("subscription.started")
    if Occasion.STARTING in started.occasions or case.next_plan.charges_in_advance:
        # Units paid in advance are renewed by the plan of that day. Source: rules/usage 7.1.
        new = _started(new, case.zone, renews_on=on)
    return Decision((old, new), apart=True)


def _units(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    row = subscriptions.units_changed(terms.terms_of(outcome.plan), terms.life_of(outcome.after), at, case.zone)
    return Decision((outcome.billing(row).then(units_changed_at=None),), apart=True)


def _trial(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    outcome = outcome.then(trial_ended_at=at).telling("subscription.trial_ended")
    if _fee_has_been_owed(outcome, at, case.zone):
        return Decision((outcome,), apart=False)
    row = subscriptions.trial_ended(terms.terms_of(outcome.plan), terms.life_of(outcome.after), case.zone)
    return Decision((outcome.billing(row),), apart=True)


def _fee_has_been_owed(outcome: Outcome, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the trial's end makes no invoice of its own: in arrears, or where that day's start or run billed the fee."""
    of, on = outcome.after, periods.local_date(at, zone)
    assert of.started_at is not None
    # A day without an invoice is that of a start in the past, not of a run.
    ran_today = of.billed_on == on and of.invoiced
    if not outcome.plan.pay_in_advance or of.last_fee is not None:
        return True
    if of.trial_ends_at is not None:  # That day's start or run did not know that the trial would end on it.
        return False
    return ran_today or on <= periods.local_date(of.started_at, zone)


def _last(outcome: Outcome, case: _Case, at: datetime) -> Decision:
    """The final invoice: in full where it takes the place of a billing day's run, and with the first one of the plan that
    follows an upgrade."""
    of, zone = outcome.after, case.zone
    plan_terms, life = terms.terms_of(outcome.plan), terms.life_of(of)
    on = _billing_day(outcome, zone)
    outcome = replace(outcome.then(occasions=()), unused_days=_unused_days(outcome, zone))
    # The same local day, as `terms.happenings` has it: a billing day that the zone leaves out is billed on the next.
    same_day = periods.local_date(periods.start_of_day(on, zone), zone) == periods.local_date(at, zone)
    if same_day and not of.upgraded:
        outcome = outcome.billing(subscriptions.ending_with_period(plan_terms, life, on, zone)).then(billed_on=on)
    elif of.upgraded or of.on_termination_invoice != "skip":
        outcome = outcome.billing(subscriptions.ending(plan_terms, life, zone))
    outcomes = [outcome]
    if of.upgraded and case.next is not None and case.next_plan is not None:
        outcomes = [replace(outcome, next_plan=case.next_plan)]
        if Occasion.STARTING in case.next.occasions:
            starting = case.next.model_copy(update={"fixed_carried": _still_paid(of, periods.local_date(at, zone))})
            outcomes.append(_started(Outcome(case.next, starting, case.next_plan), zone))
    return Decision(tuple(outcomes), apart=True)


def _still_paid(of: Subscription, on: date) -> tuple[FixedPaid, ...]:
    """Fixed charges paid in advance beyond a day, by the plans before as well: of those only the rest was deducted."""
    return tuple(paid for paid in (*of.fixed_carried, *of.fixed_paid) if paid.end > on)


def _unused_days(outcome: Outcome, zone: ZoneInfo) -> int:
    """Days that were paid in advance and are left. Source: rules/billing-periods 7.4."""
    of = outcome.after
    if not outcome.plan.pay_in_advance or of.last_fee is None or of.on_termination_credit_note == "skip":
        return 0
    end = of.last_fee.period_end
    return subscriptions.unused_days(terms.terms_of(outcome.plan), terms.life_of(of), end, zone)


_STEPS: dict[Happening, Callable[[Outcome, _Case, datetime], Decision]] = {
    Happening.START: _start,
    Happening.STARTING: _starting,
    Happening.ALERT: _alert,
    Happening.END: _dated_end,
    Happening.PERIOD: _period,
    Happening.UNITS: _units,
    Happening.TRIAL: _trial,
    Happening.LAST: _last,
}
