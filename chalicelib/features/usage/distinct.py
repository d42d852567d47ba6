"""Numbers of distinct values of a range, read from counters, whatever was used.

A counter is opened by a reader that had to recount many events, and filled an hour later
(features/metering/distinct_counters.py says why then). Until that, and where there is none, raw events are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from chalicelib import limits
from chalicelib.domain.periods import Span
from chalicelib.features.metering import distinct_counters, store, tally
from chalicelib.features.metering.distinct_counters import ADDS, ALL, Entering, Entry, Register, Spec
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

# Filling begins when the meter has long been keeping the register up, really: no test clock changes that.
FILL = agenda.kind("fill_register", rank=80, wall_clock=True)

# A transaction takes 100 actions: so many values, and the row that counts them.
_VALUES_AT_ONCE = 90


@dataclass(frozen=True, slots=True)
class Question:
    """How many distinct values events of a code leave active at the end of a range, by bucket of a spec."""

    organization: OrganizationRef
    external_subscription_id: str
    code: str
    span: Span
    spec: Spec

    @property
    def pk(self) -> str:
        """The partition of the subscription's registers."""
        return store.usage_pk(self.organization.id, self.external_subscription_id)

    @property
    def range_ms(self) -> tuple[int, int]:
        """The range in milliseconds since 1970, half-open."""
        return raw.ceil_ms(self.span.start), raw.ceil_ms(self.span.end)


def numbers(asked: Question, *, real_now: datetime) -> dict[str, int] | None:
    """How many values are active, by bucket; None where no register says so."""
    ready = [each for each in _standing(asked, real_now) if each.is_filled and not each.is_void]
    return dict(ready[0].numbers) if ready else None


def request_counter(asked: Question, *, real_now: datetime) -> None:
    """Open a register for a range whose events were many to recount, where there is none yet. (Of two that were opened at the
    same time each is right.)"""
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
    """Enter what came before a register was opened, and let it be read.

    Raises: IndexBehind.
    """
    organization_id, subscription, name = task.organization.id, task.detail["subscription"], task.detail["name"]
    pk = store.usage_pk(organization_id, subscription)
    known = distinct_counters.read(usage.query(pk, begins=f"u#{name}#"))
    if known and not known[0].is_void and not known[0].is_filled:
        (register,) = known
        _enter_all(organization_id, subscription, register)
        filled = usage.update(
            (pk, register.head_sk),
            "SET is_filled = :filled",
            values={":filled": True},
            condition="attribute_exists(pk)",
        )
        Unit(filled, agenda.done(task)).commit()
    else:
        agenda.done(task).alone()


def _enter_all(organization_id: OrganizationId, subscription: str, register: Register) -> None:
    entering = Entering(organization_id, subscription, [register])
    span = Span(instant_of(register.start_ms), instant_of(register.end_ms))
    events = (
        (item["code"], tally.counted_of(store.read(item), item["received"]))
        for item in raw.events(organization_id, subscription, span, {key_part(register.code)})
    )
    entries = list(entering.entries(events).items())
    ends = [each for each in entries if each[0][1] == register.head_sk]
    for n in range(0, len(entries), _VALUES_AT_ONCE):
        chunk = dict(ends or entries[n : n + _VALUES_AT_ONCE])
        # The meter may enter one of them at the same time.
        retrying(partial(_enter, entering, chunk), "distinct_counter")
        if ends:
            return


def _enter(entering: Entering, entries: Mapping[Key, tuple[Register, Entry]]) -> None:
    Unit(entering.actions(entries, "fill")).commit()


def _standing(asked: Question, real_now: datetime) -> Sequence[Register]:
    """The registers of either mode for a range, by what stands there now."""
    begins = distinct_counters.names_of(asked.code, *asked.range_ms, asked.spec)
    items = usage.query(asked.pk, begins=f"u#{begins}")
    return [each for each in distinct_counters.read(items) if each.is_kept(real_now, by_meter=False)]
