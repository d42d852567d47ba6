"""Transaction of one use case: subscriptions and the customer's billing task."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from chalicelib.domain import periods
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import service as customers
from chalicelib.features.customers import usage_watch
from chalicelib.features.customers.records import BillingState, Customer
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.plans import subscribers
from chalicelib.features.plans.records import Plan
from chalicelib.features.subscriptions import announcements, schedule, store
from chalicelib.features.subscriptions.records import PendingInvoice, Status, Subscription
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.ids import CustomerId, OrganizationId, SubscriptionId
from chalicelib.platform.unit import Unit, Write


@dataclass(frozen=True, slots=True)
class Change:
    """A customer as one use case read it; refused on writing if anything of its money was decided meanwhile. `known`:
    all its subscriptions, of any status."""

    organization: Organization
    customer: Customer
    state: BillingState
    known: tuple[Subscription, ...]
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The customer's applicable time zone."""
        return self.customer.zone(self.organization.timezone)

    def of_id(self, subscription_id: SubscriptionId | None) -> Subscription | None:
        """One of the customer's subscriptions."""
        return next((s for s in self.known if s.id == subscription_id), None)

    def announcement(self, subscription: Subscription, plan: Plan, name: str) -> list[Task]:
        """Announcement of a change of a subscription."""
        return announcements.tasks(self.organization, self.customer, subscription, plan, name, now=self.now)

    def check_dates(self, subscription_at: datetime | None, ending_at: datetime | None) -> None:
        """`ending_at` is later than today and later than the start, by local dates.

        Raises: Invalid, `invalid_date`.
        """
        if ending_at is None:
            return
        ends_on = periods.local_date(ending_at, self.zone)
        starts_on = periods.local_date(subscription_at or self.now, self.zone)
        if ends_on <= periods.local_date(self.now, self.zone) or ends_on <= starts_on:
            raise Invalid.field("ending_at", ErrorCode.INVALID_DATE)

    def commit(
        self,
        *,
        created: Sequence[tuple[Subscription, Plan]] = (),
        replaced: Sequence[tuple[Subscription, Subscription, Plan]] = (),
        extra: Sequence[Write] = (),
        tasks: Sequence[Task] = (),
    ) -> list[Task]:
        """Write it all together; returns the tasks to push. `replaced`: before, after, and the plan after.

        Raises: Cancelled.
        """
        ref = self.organization.ref
        due = [schedule.next_due_at(s, plan, zone=self.zone) for s, plan in created]
        due += [schedule.next_due_at(new, plan, zone=self.zone) for _, new, plan in replaced]
        instants = [at for at in (*due, self.state.due_at) if at is not None]
        # A due time before now comes only from a late write: the clock never goes back for it.
        state = self.state.model_copy(update={"due_at": min(instants, default=None), "attached": True})
        # A first invoice bills no usage: it is made at once, where others wait for events still queued.
        changed = [*(s for s, _ in created), *(new for _, new, _ in replaced)]
        at_once = self.state.due_at is None and all(s.occasions == (PendingInvoice.STARTING,) for s in changed)
        actions = customers.billing_actions(ref, self.state, state, now=self.now, at_once=at_once)
        pairs = [(old, new) for old, new, _ in replaced]
        actions += store.write_subscriptions(ref.id, created=[s for s, _ in created], replaced=pairs)
        actions += self._entered([s for s, _ in created], pairs)
        if state.watched:
            entering = [s.external_id for s, _ in created]
            actions += usage_watch.actions(ref.id, self.customer.id, entering, watch=True)
        actions += [agenda.put(task, now=self.now) for task in tasks]
        Unit([*actions, *extra]).commit()
        if state.due_at is None:
            return list(tasks)
        return [*tasks, agenda.task(customers.BILL, ref, self.customer.id, state.due_at, at_once=at_once)]

    def _entered(
        self, created: Sequence[Subscription], replaced: Sequence[tuple[Subscription, Subscription]]
    ) -> list[Write]:
        """Each live subscription stands in its plan's list, and in no other."""
        organization_id, customer_id = self.organization.id, self.customer.id
        actions = [
            subscribers.subscribed_action(organization_id, s.plan_id, customer_id, s.id) for s in created if s.live
        ]
        for old, new in replaced:
            if old.live and (not new.live or new.plan_id != old.plan_id):
                actions.append(subscribers.unsubscribed_action(organization_id, old.plan_id, customer_id, old.id))
            if new.live and new.plan_id != old.plan_id:
                actions.append(subscribers.subscribed_action(organization_id, new.plan_id, customer_id, new.id))
        return actions


def change_of(organization_id: OrganizationId, customer_id: CustomerId, *, now: datetime) -> Change:
    """A customer as it stands, read consistently."""
    own = organizations.get(organization_id)
    everything = customers.items_of(organization_id, customer_id)
    assert everything.customer is not None, "a subscription has a customer, deleted or not"
    known = tuple(store.among(everything))
    return Change(own, everything.customer, everything.state, known, now)


def started(pending: Subscription, plan: Plan, *, started_at: datetime, now: datetime, zone: ZoneInfo) -> Subscription:
    """Subscription that becomes active, with its pending invoices, the end of a trial that is over already, and the
    days on which its end is announced."""
    first = pending.first_started_at or started_at
    active = pending.model_copy(
        update={"status": Status.ACTIVE, "started_at": started_at, "first_started_at": first, "updated_at": now}
    )
    return active.model_copy(
        update={
            "occasions": schedule.occasions_at_start(plan, active, now=now, zone=zone),
            "trial_ended_at": schedule.trial_over_at(plan, active, now=now),
            "alerts_on": schedule.alerts_on(active.ending_at, now=now, zone=zone),
        }
    )
