"""Change of the trial of an existing subscription. Source: rules/catalog 2.1.

It moves the end of a trial that still runs: the base amount is owed from the new end on. One that would have ended by
now ends at once, as with a change to a plan without a trial. A trial that is over stays as it was.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from chalicelib.domain import timeline
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import schedule
from chalicelib.features.subscriptions.records import Status, Subscription
from chalicelib.platform import schema

NAME = "trial_period"


def moves(subscription: Subscription, plan: Plan, overrides: Mapping[str, Any], *, now: datetime) -> bool:
    """Whether these overrides of a plan change the trial of its subscription (or are no days at all, which the plan
    refuses).

    Raises: Invalid, `trial_period: value_is_invalid`, where the trial is over.
    """
    if NAME not in overrides:
        return False
    given = overrides[NAME]
    try:
        days = Decimal(0) if given is None else schema.exact(given)
    except ValueError:
        return True
    if days == Decimal(plan.trial_period):
        return False
    if subscription.status != Status.PENDING and not _runs(subscription, plan, now=now):
        raise Invalid.field(NAME, ErrorCode.VALUE_IS_INVALID)
    return True


def moved(subscription: Subscription, plan: Plan, *, now: datetime) -> Subscription:
    """The subscription whose plan has another length of trial by now; one that has not begun has no trial to move."""
    if subscription.status != Status.ACTIVE:
        return subscription
    natural = timeline.trial_end(
        schedule.terms_of(plan), schedule.life_of(subscription.model_copy(update={"trial_ends_at": None}))
    )
    at_once = now.replace(microsecond=0)
    return subscription.model_copy(update={"trial_ends_at": at_once if natural is None else max(natural, at_once)})


def _runs(subscription: Subscription, plan: Plan, *, now: datetime) -> bool:
    """Whether a subscription's trial still runs, and the amount from its end on is not billed yet."""
    if subscription.status != Status.ACTIVE or subscription.trial_ended_at is not None:
        return False
    end = timeline.trial_end(schedule.terms_of(plan), schedule.life_of(subscription))
    return end is not None and end > now and (subscription.last_fee is None or not plan.pay_in_advance)
