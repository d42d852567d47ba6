"""The number of distinct values in a range, read from distinct counters: a read costs the same for any number of
events.

A reader that had to recount many events opens a counter; a task fills it an hour later
(features/metering/distinct_counters.py says why then). Without a filled counter raw events are recounted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from chalicelib import limits
from chalicelib.domain.error_codes import Resource
from chalicelib.domain.periods import Span
from chalicelib.features.metering import distinct_counters, layout, reading, tally
from chalicelib.features.metering.distinct_counters import ADDS, ALL, DistinctCounter, Entering, Entry, Spec
from chalicelib.features.metering.event import instant_of
from chalicelib.features.usage import raw
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import OrganizationId, key_part
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit
from chalicelib.platform.usage_table import usage

# In real time, in sandboxes too: by then every worker of the meter knows the counter.
FILL = agenda.kind("fill_register", rank=80, real_time=True)

# A transaction takes 100 actions: so many values, and the row that counts them.
_VALUES_AT_ONCE = 90


@dataclass(frozen=True, slots=True)
class Question:
    """A question: how many distinct values of a code are active at the end of a range, by bucket of a spec?"""

    organization: OrganizationRef
    external_subscription_id: str
    code: str
    span: Span
    spec: Spec

    @property
    def pk(self) -> str:
        """The partition of the subscription's distinct counters."""
        return layout.usage_pk(self.organization.id, self.external_subscription_id)

    @property
    def range_ms(self) -> tuple[int, int]:
        """The range in milliseconds since 1970, half-open."""
        return raw.ceil_ms(self.span.start), raw.ceil_ms(self.span.end)


def numbers(asked: Question, *, real_now: datetime) -> dict[str, int] | None:
    """The number of active values by bucket; None without a filled counter."""
    ready = [each for each in _standing(asked, real_now) if each.is_filled and not each.is_void]
    return dict(ready[0].numbers) if ready else None


def request_counter(asked: Question, *, real_now: datetime) -> None:
    """Open a distinct counter for a range, unless there is one. (Two that are opened at the same time are both
    right.)"""
    if len(asked.spec.text().encode()) > limits.REGISTER_SPEC_BYTES_MAX:
        return
    found = _standing(asked, real_now)
    if any(not each.is_void for each in found):
        return
    mode = ALL if any(each.mode == ADDS for each in found) else ADDS
    start_ms, end_ms = asked.range_ms
    name = distinct_counters.name_of(asked.code, start_ms, end_ms, asked.spec, mode, real_now)
    task = agenda.task(
        FILL,
        asked.organization,
        f"{key_part(asked.external_subscription_id)}#{name}",
        real_now + limits.REGISTER_FILLED_AFTER,
        {"subscription": asked.external_subscription_id, "name": name},
    )
    head = {
        "pk": asked.pk,
        "sk": f"u#{name}#head",
        "code": asked.code,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "mode": mode,
        "spec": asked.spec.text(),
        "expires_at": int((max(asked.span.end, real_now) + limits.REGISTER_KEPT).timestamp()),
    }
    Unit(usage.put(head), agenda.put(task, now=real_now)).commit()


def fill(task: Task) -> None:
    """Enter the values of events from before a counter was opened, and let readers use it.

    Raises: IndexBehind.
    """
    organization_id, subscription, name = task.organization.id, task.detail["subscription"], task.detail["name"]
    pk = layout.usage_pk(organization_id, subscription)
    known = distinct_counters.read(usage.query(pk, begins=f"u#{name}#"))
    if known and not known[0].is_void and not known[0].is_filled:
        (counter,) = known
        _enter_all(organization_id, subscription, counter)
        filled = usage.update(
            (pk, counter.head_sk),
            "SET is_filled = :filled",
            values={":filled": True},
            condition="attribute_exists(pk)",
        )
        Unit(filled, agenda.done(task)).commit()
    else:
        agenda.done(task).alone()


def _enter_all(organization_id: OrganizationId, subscription: str, counter: DistinctCounter) -> None:
    entering = Entering(organization_id, subscription, [counter])
    span = Span(instant_of(counter.start_ms), instant_of(counter.end_ms))
    events = (
        (item["code"], tally.counted_of(reading.read(item), item["received"]))
        for item in raw.events(organization_id, subscription, span, {key_part(counter.code)})
    )
    entries = list(entering.entries(events).items())
    ends = [each for each in entries if each[0][1] == counter.head_sk]
    for n in range(0, len(entries), _VALUES_AT_ONCE):
        chunk = dict(ends or entries[n : n + _VALUES_AT_ONCE])
        # The meter may enter one of them at the same time.
        retrying(partial(_enter, entering, chunk), Resource.BILLABLE_METRIC)
        if ends:
            return


def _enter(entering: Entering, entries: Mapping[Key, tuple[DistinctCounter, Entry]]) -> None:
    Unit(entering.actions(entries, "fill")).commit()


def _standing(asked: Question, real_now: datetime) -> Sequence[DistinctCounter]:
    """The stored distinct counters of a range, of either mode."""
    begins = distinct_counters.names_of(asked.code, *asked.range_ms, asked.spec)
    items = usage.query(asked.pk, begins=f"u#{begins}")
    return [each for each in distinct_counters.read(items) if each.is_kept(real_now, by_meter=False)]
