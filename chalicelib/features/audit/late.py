"""Late events: metered when the invoice of their period was final, so that no invoice bills them.

Source: rules/usage 1.4.

Real time decides which came first, in sandboxes too: an invoice read its usage right before its fee revision (`build`),
an id that holds its instant; an event was metered at the instant of the log item that it names. Events of recurring
metrics are never lost, as the next period counts them, nor are events charged in advance.

`make audit` lists late events. Once a day, in organizations with final invoices, those of the day are counted in a
metric that raises an alarm. Sandboxes raise none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib import limits
from chalicelib.features.invoices import reading as invoices
from chalicelib.features.invoices.records import Invoice
from chalicelib.features.metering import layout, log_reader, reading
from chalicelib.features.metering.event import instant_of, milliseconds_of
from chalicelib.features.metering.log_items import Reference, references_of
from chalicelib.features.organizations import service as organizations
from chalicelib.features.plans import active_parts
from chalicelib.features.plans import service as plans
from chalicelib.features.subscriptions import reading as subscriptions
from chalicelib.features.subscriptions.records import Subscription
from chalicelib.features.usage import expiry
from chalicelib.features.usage.raw import ceil_ms
from chalicelib.platform import agenda, metrics
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId, PlanId, made_at
from chalicelib.platform.timestamps import unstamp
from chalicelib.platform.unit import Unit
from chalicelib.platform.values import Item

# Waits for events of the day that are just being metered.
WATCH = agenda.kind("watch_late_events", rank=72, reads_usage=True)

_DAY, _MILLISECOND = timedelta(days=1), timedelta(milliseconds=1)
_GRACE_MS = limits.USAGE_GRACE // _MILLISECOND


@dataclass(frozen=True, slots=True, order=True)
class Late:
    """A late event. `at`: its timestamp; `received_at`: the real instant; `invoice_number`: that of the invoice that
    would have billed it."""

    organization_id: OrganizationId
    external_subscription_id: str
    at: datetime
    transaction_id: str
    code: str
    received_at: datetime
    invoice_number: str


@dataclass(frozen=True, slots=True)
class Final:
    """Usage on a final invoice: a half-open range. `taken_at`: the real instant at which it was read; `codes`: the
    codes billed."""

    start: datetime
    end: datetime
    taken_at: datetime
    number: str
    codes: frozenset[str]

    @property
    def low_ms(self) -> int:
        """The first millisecond of the range."""
        return milliseconds_of(self.start)

    @property
    def high_ms(self) -> int:
        """The last one."""
        return ceil_ms(self.end) - 1

    def holds(self, code: str, ms: int) -> bool:
        """Whether it bills an event of this code and timestamp."""
        return self.low_ms <= ms <= self.high_ms and code in self.codes


class Ledger:
    """Final invoices of an organization, read on demand, once for each customer."""

    def __init__(self, organization_id: OrganizationId) -> None:
        self.organization_id = organization_id
        self._history: dict[str, list[Subscription]] = {}
        self._finals: dict[str, list[Final]] = {}
        self._invoices: dict[str, list[Invoice]] = {}
        self._codes: dict[str, frozenset[str]] = {}

    def missed(self, external_id: str, code: str, ms: int, metered_at: datetime) -> Final | None:
        """The invoice that would have billed an event and was final when it was metered; None for an event that is
        billed, or will be. `ms`: its timestamp, milliseconds since 1970."""
        if not self._may_be_billed(external_id, ms):
            return None
        holding = [each for each in self.finals(external_id) if each.holds(code, ms)]
        if any(each.taken_at >= metered_at for each in holding):
            return None
        return min(holding, key=lambda each: each.taken_at, default=None)

    def finals(self, external_id: str) -> list[Final]:
        """Usage of an external id that final invoices billed, by time."""
        if external_id not in self._finals:
            customers = dict.fromkeys(each.customer_id for each in self._subscriptions(external_id))
            found = [final for customer in customers for final in self._of_customer(customer, external_id)]
            self._finals[external_id] = sorted(found, key=lambda each: each.start)
        return self._finals[external_id]

    def _may_be_billed(self, external_id: str, ms: int) -> bool:
        """Whether any invoice may have billed the event, by its subscriptions alone: a quick check that suffices for
        most."""
        at = instant_of(ms)
        return any(each.billed_until and at < each.billed_until for each in self._subscriptions(external_id))

    def _subscriptions(self, external_id: str) -> list[Subscription]:
        if external_id not in self._history:
            self._history[external_id] = subscriptions.history(self.organization_id, external_id)
        return self._history[external_id]

    def _of_customer(self, customer_id: CustomerId, external_id: str) -> Iterator[Final]:
        if customer_id not in self._invoices:
            self._invoices[customer_id] = invoices.of_customer(self.organization_id, customer_id)
        for invoice in self._invoices[customer_id]:
            for part in invoice.periods if invoice.status != "draft" else ():
                if part.external_subscription_id != external_id or not part.bills_usage:
                    continue
                assert part.charges_start is not None
                assert part.charges_end is not None
                # The id has milliseconds only: the invoice may have been made at the end of its one.
                taken_at = made_at(invoice.build) + _MILLISECOND
                codes = self._codes_of(part.plan_id)
                yield Final(part.charges_start, part.charges_end, taken_at, invoice.number, codes)

    def _codes_of(self, plan_id: PlanId) -> frozenset[str]:
        """Codes that a plan bills by the usage of a period."""
        if plan_id not in self._codes:
            plan = plans.by_ids(self.organization_id, [plan_id])[plan_id]
            charges = active_parts.live_charges(plan, active_parts.metrics_of(self.organization_id, [plan]))
            billed = [metric for charge, metric in charges if not charge.pay_in_advance and not metric.recurring]
            self._codes[plan_id] = frozenset(metric.code for metric in billed)
        return self._codes[plan_id]


# All late events so far.


def listed(organization_id: OrganizationId | None = None, subscription: str | None = None) -> Iterator[Late]:
    """The late events of all organizations, of one, or of one external id of it, by subscription and then by time."""
    for each in organizations.ids() if organization_id is None else [organization_id]:
        ledger = Ledger(OrganizationId(each))
        external_ids = (
            sorted(subscriptions.external_ids(OrganizationId(each))) if subscription is None else [subscription]
        )
        for external_id in external_ids:
            yield from _of_subscription(ledger, external_id)


def _of_subscription(ledger: Ledger, external_id: str) -> Iterator[Late]:
    finals = ledger.finals(external_id)
    if not finals:
        return
    pk = layout.usage_pk(ledger.organization_id, external_id)
    low, high = layout.day_of(finals[0].low_ms), layout.day_of(max(each.high_ms for each in finals))
    days = reading.rows(pk, layout.day_sk(low), layout.after(layout.day_sk(high)))
    marked = {row["sk"].split("#")[1] for row in days if "#late#" in row["sk"]}
    for final in finals:
        for low_ms, high_ms in _days(final):
            day = layout.day_of(low_ms)
            # Transactions mark days that are over: without a mark the day was open when the last of its events was
            # metered.
            if day not in marked and _end_of_day(low_ms) < final.taken_at:
                continue
            parts = reading.shards_of_day(ledger.organization_id, external_id, day)
            items = reading.raw_of_day(ledger.organization_id, external_id, day, parts, low_ms=low_ms, high_ms=high_ms)
            for item in items:
                if ledger.missed(external_id, item["code"], item["ms"], _metered_at(item)) is final:
                    yield _late(ledger.organization_id, item, final)


def _end_of_day(ms: int) -> datetime:
    """The end of the UTC day of an instant."""
    return instant_of(ms - ms % (_DAY // _MILLISECOND)) + _DAY


def _days(final: Final) -> Iterator[tuple[int, int]]:
    """The range by UTC days, each from its first to its last millisecond."""
    day_ms = _DAY // _MILLISECOND
    for number in range(final.low_ms // day_ms, final.high_ms // day_ms + 1):
        yield max(final.low_ms, number * day_ms), min(final.high_ms, (number + 1) * day_ms - 1)


# The late events of a day.


def watch(organization: OrganizationRef, *, now: datetime) -> None:
    """Schedule the daily count of an organization's late events. It is idempotent."""
    if organization.sandbox or organization.id in _watched:
        return
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    task = agenda.task(WATCH, organization, organization.id, midnight + _DAY)
    if agenda.find(task.key) is None:
        agenda.put(task, now=now).alone()
    _watched.add(organization.id)


_watched: set[str] = set()


def count(task: Task, now: datetime) -> None:
    """Count the late events of the day that ended at `now`, and look again a day later."""
    number = sum(1 for _ in metered_between(task.organization.id, now - _DAY, now))
    if number:
        metrics.count("LateEvents", number, organization=task.organization.id)
    Unit([*agenda.move(task, now + _DAY, now=now), *expiry.begin(task, now)]).commit()


def metered_between(organization_id: OrganizationId, start: datetime, end: datetime) -> Iterator[Late]:
    """The late events that were metered in a half-open range of real time, in that order."""
    ledger = Ledger(organization_id)
    for item in log_reader.items_between(organization_id, start, end):
        metered_at = _instant_of_log(item["sk"])
        now_ms = milliseconds_of(metered_at)
        missed = {
            reference: final
            for reference in references_of(item)
            # Billing itself waits so long for events.
            if now_ms - reference.timestamp_ms > _GRACE_MS and (final := _missed(ledger, reference, metered_at))
        }
        for reference, stored in log_reader.stored(organization_id, list(missed)):
            yield _late(organization_id, stored, missed[reference])


def _missed(ledger: Ledger, reference: Reference, metered_at: datetime) -> Final | None:
    external_id, code, ms = reference.external_subscription_id, reference.code, reference.timestamp_ms
    return ledger.missed(external_id, code, ms, metered_at)


def _late(organization_id: OrganizationId, item: Item, final: Final) -> Late:
    return Late(
        organization_id=organization_id,
        external_subscription_id=item["subscription"],
        at=instant_of(item["ms"]),
        transaction_id=item["transaction_id"],
        code=item["code"],
        received_at=unstamp(item["received"]),
        invoice_number=final.number,
    )


def _metered_at(item: Item) -> datetime:
    return _instant_of_log(item["log"])


def _instant_of_log(name: str) -> datetime:
    return unstamp(name.split("#")[0])
