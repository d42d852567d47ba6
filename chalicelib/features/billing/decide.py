"""What happens to a subscription at an instant, in a fixed order: start, periods, end. Nothing is written here."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain import periods, subscriptions
from chalicelib.domain.subscriptions import Row
from chalicelib.features.plans.store import Plan
from chalicelib.features.subscriptions import schemas, service, terms
from chalicelib.features.subscriptions.records import Occasion, Status, Subscription


@dataclass(frozen=True, slots=True)
class Outcome:
    """One subscription before and after, what is billed for it, and what is told about it."""

    before: Subscription
    after: Subscription
    plan: Plan
    rows: tuple[Row, ...] = ()
    news: tuple[str, ...] = ()
    released: bool = False

    def then(self, **values: object) -> "Outcome":
        """The outcome with the subscription changed further."""
        return replace(self, after=self.after.model_copy(update=values))

    def billing(self, row: Row) -> "Outcome":
        """The outcome with one row more, usage billed up to its end."""
        billed_until = row.charges.end if row.bills_usage else self.after.billed_until
        return replace(self, rows=(*self.rows, row)).then(billed_until=billed_until)


def decide(subscription: Subscription, plan: Plan, *, closing: bool, now: datetime, zone: ZoneInfo) -> Outcome | None:
    """What is due for a subscription by `now`; None when nothing is. `closing`: its customer was deleted.

    At most one billing day is carried out at a time, the earliest first, so that a late run bills what punctual ones would
    have billed. Source: billing-periods.md sections 4 to 7 and 9.
    """
    outcome = Outcome(subscription, subscription, plan)
    outcome = _start(outcome, now, zone)
    if closing and outcome.after.live:
        outcome = _end(outcome, now)
    outcome = _starting_invoice(outcome, zone)
    outcome = _period_or_dated_end(outcome, now, zone)
    outcome = _trial(outcome, now, zone)
    outcome = _last_invoice(outcome, now, zone)
    return None if outcome.after == outcome.before else outcome


def _start(outcome: Outcome, now: datetime, zone: ZoneInfo) -> Outcome:
    pending = outcome.after
    if pending.status != Status.PENDING or pending.previous_id is not None or pending.subscription_at > now:
        return outcome
    started = service.activated(
        pending, outcome.plan, started_at=pending.subscription_at, now=pending.subscription_at, zone=zone
    )
    return replace(outcome, after=started, news=(*outcome.news, "subscription.started"))


def _end(outcome: Outcome, at: datetime) -> Outcome:
    ended = service.ended(outcome.after, outcome.plan, schemas.Termination(), at=at)
    news = ("subscription.terminated",) if ended.status == Status.TERMINATED else ()
    return replace(outcome, after=ended, news=(*outcome.news, *news), released=True)


def _starting_invoice(outcome: Outcome, zone: ZoneInfo) -> Outcome:
    if Occasion.STARTING not in outcome.after.occasions:
        return outcome
    row = subscriptions.starting(terms.terms_of(outcome.plan), terms.life_of(outcome.after), zone)
    left = tuple(occasion for occasion in outcome.after.occasions if occasion != Occasion.STARTING)
    return outcome.billing(row).then(occasions=left)


def _period_or_dated_end(outcome: Outcome, now: datetime, zone: ZoneInfo) -> Outcome:
    """The earliest billing day not carried out, or the day on which the subscription ends by its date."""
    of = outcome.after
    if of.started_at is None or of.status not in (Status.ACTIVE, Status.TERMINATED):
        return outcome
    if of.status == Status.TERMINATED and Occasion.TERMINATING not in of.occasions:
        return outcome
    plan_terms, life = terms.terms_of(outcome.plan), terms.life_of(of)
    due_at = subscriptions.next_billing_at(plan_terms, life, after=terms.last_day(of, zone), zone=zone)
    limit = now if of.terminated_at is None else min(now, of.terminated_at - timedelta(microseconds=1))
    ends_at = _dated_end(of, zone)
    if ends_at is not None and ends_at <= now and ends_at <= due_at:
        ended = _end(outcome, ends_at)
        if ends_at == due_at and of.billed_on != periods.local_date(due_at, zone):
            on = periods.local_date(due_at, zone)
            row = subscriptions.ending_with_period(plan_terms, life, on, zone)
            return ended.billing(row).then(occasions=(), billed_on=on)
        return ended
    if due_at > limit:
        return outcome
    on = periods.local_date(due_at, zone)
    row = subscriptions.periodic(plan_terms, life, on, zone)
    return outcome.billing(row).then(billed_on=on)


def _dated_end(of: Subscription, zone: ZoneInfo) -> datetime | None:
    if of.ending_at is None or of.status != Status.ACTIVE:
        return None
    return periods.start_of_day(periods.local_date(of.ending_at, zone), zone)


def _trial(outcome: Outcome, now: datetime, zone: ZoneInfo) -> Outcome:
    of = outcome.after
    if of.status != Status.ACTIVE or of.started_at is None or of.trial_ended_at is not None:
        return outcome
    plan_terms, life = terms.terms_of(outcome.plan), terms.life_of(of)
    end = subscriptions.trial_end(plan_terms, life)
    if end is None or end > now:
        return outcome
    outcome = replace(outcome, news=(*outcome.news, "subscription.trial_ended")).then(trial_ended_at=end)
    if _fee_has_been_owed(outcome, periods.local_date(end, zone), zone):
        return outcome
    return outcome.billing(subscriptions.trial_ended(plan_terms, life, zone))


def _fee_has_been_owed(outcome: Outcome, on: date, zone: ZoneInfo) -> bool:
    """Whether the trial's end makes no invoice of its own: in arrears, or where that day's start or run billed the fee."""
    of = outcome.after
    assert of.started_at is not None
    if not outcome.plan.pay_in_advance or of.billed_on == on or of.last_fee is not None:
        return True
    return on <= periods.local_date(of.started_at, zone)


def _last_invoice(outcome: Outcome, now: datetime, zone: ZoneInfo) -> Outcome:
    of = outcome.after
    if Occasion.TERMINATING not in of.occasions or of.terminated_at is None or of.terminated_at > now:
        return outcome
    done = outcome.then(occasions=())
    if of.on_termination_invoice == "skip" or of.started_at is None:
        return done
    return done.billing(subscriptions.ending(terms.terms_of(outcome.plan), terms.life_of(of), zone))
