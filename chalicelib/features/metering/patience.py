"""The budget of time of a batch whose transactions do not get through."""

import math
import time

from chalicelib import limits


class NotCounted(Exception):
    """A transaction did not get through; nothing of it was written, and its events may be delivered again."""


class Patience:
    """Budget of time that a batch spends on an organization whose transactions do not get through; the others wait
    meanwhile.

    `give_up_at` (monotonic seconds): no transaction begins after it. A function that goes on until it is cut off
    returns nothing, and all its messages come again late.
    """

    def __init__(self, whole: "Patience | None" = None, *, give_up_at: float = math.inf) -> None:
        self._whole = whole
        self._lost = 0.0
        self._give_up_at: float = give_up_at if whole is None else whole._give_up_at

    @property
    def is_over(self) -> bool:
        """Whether the rest of the organization's events shall come again instead."""
        too_long = self._lost > limits.METERING_LOST_SECONDS or time.monotonic() > self._give_up_at
        return too_long or (
            self._lost > 0 and self._whole is not None and self._whole._lost > limits.METERING_LOST_IN_ALL
        )

    def require_time(self) -> None:
        """Raises: NotCounted, when the time is up."""
        if time.monotonic() > self._give_up_at:
            raise NotCounted("no time left")

    def lose(self, seconds: float) -> None:
        """Note a failed transaction and its duration."""
        self._lost += seconds
        if self._whole is not None:
            self._whole.lose(seconds)
