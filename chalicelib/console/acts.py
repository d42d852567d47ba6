"""Acts that the API has no route for: a use case of a service, carried out as the API carries out its own."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from chalicelib.console.visit import Visit
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Conflict
from chalicelib.features.sandbox import service as test_clock
from chalicelib.platform.agenda import Task

T = TypeVar("T")


def carry_out(visit: Visit, act: Callable[[], tuple[T, Sequence[Task]]]) -> T:
    """The result of an act. Its tasks are pushed; in a sandbox what is due by now runs before the next page.

    Raises: Conflict, while the organization's clock moves; whatever `act` raises.
    """
    if visit.api.advancing:
        raise Conflict(ErrorCode.TEST_CLOCK_ADVANCING)
    result, tasks = act()
    test_clock.run_due(visit.organization.ref, now=visit.now, tasks=tasks)
    return result
