"""Storage of a moving sandbox clock.

Items
    pk              sk              what it is
    <org>#clock     clock           {now, target, set_out, invoices_before, failed}: the instant reached; target while it
                                    moves; set_out: when, in real time, it began to; totals of invoices then; undone tasks
    <org>#clock     task#...        the sandbox's tasks (platform/agenda/store.py)

Access patterns
    1 platform.clock.read(org)      GetItem   consistent
    2 set_out_action(org, ...)      Put       unless it has moved; together with the job that goes on if this process dies
    3 reach(org, ...)               Update    only forward, only while it moves
    4 cancel(org)                   Update    the instant reached becomes the target
    5 arrive_action(org, ...)       Update    the final instant, only of the same leap; together with the end of its task
"""

from collections.abc import Mapping
from datetime import datetime

from pynamodb.constants import STRING
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from chalicelib.platform.clock import ClockRow, OrganizationRef, TestClock, clock_key
from chalicelib.platform.unit import Write

# Clocks of earlier versions that stand have a null for a target.
_MOVES = Path(ClockRow.target).is_type(STRING)


def set_out_action(
    organization: OrganizationRef,
    state: TestClock,
    begin: datetime,
    to: datetime,
    *,
    invoices: Mapping[str, int],
    real_now: datetime,
) -> Write:
    """Let a clock that was read in this state, in which it stands, begin to move. Refused where it has moved meanwhile."""
    pk, sk = clock_key(organization.id)
    unmoved = ClockRow.pk.does_not_exist() if state.now is None else (ClockRow.now == state.now) & ~_MOVES
    return ClockRow(pk=pk, sk=sk, now=begin, target=to, set_out=real_now, invoices_before=invoices).put(unmoved)


def reach(organization: OrganizationRef, state: TestClock, instant: datetime) -> None:
    """Bring the clock to an instant on its way.

    Raises: ConditionFailed, where it is there already, or not on this leap any more.
    """
    forward = (ClockRow.now < instant) & _same_leap(state)
    ClockRow.change(clock_key(organization.id), ClockRow.now.set(instant), condition=forward).alone()


def cancel(organization: OrganizationRef) -> None:
    """Make the instant reached the target.

    Raises: ConditionFailed, where the clock stands.
    """
    ClockRow.change(clock_key(organization.id), ClockRow.target.set(ClockRow.now), condition=_MOVES).alone()


def arrive_action(organization: OrganizationRef, state: TestClock, *, failed: int) -> Write:
    """Set the clock to its target, where it stands from then on. Refused where it is not on this leap any more. `failed`: the
    number of tasks that the leap left undone."""
    assert state.target is not None, "it is on its way"
    changes = ClockRow.now.set(state.target), ClockRow.target.remove(), ClockRow.failed.set(failed)
    return ClockRow.change(clock_key(organization.id), *changes, condition=_same_leap(state))


def _same_leap(state: TestClock) -> Condition:
    """The same leap to the same target: a canceled one, and one after it, are others."""
    assert state.target is not None, "it is on its way"
    assert state.set_out is not None, "it has set out"
    same: Condition = (ClockRow.target == state.target) & (ClockRow.set_out == state.set_out)
    return same
