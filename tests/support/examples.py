"""The number of examples of each law: `EXAMPLES=20` in the environment tries twenty times as many, `EXAMPLES=0.1` a tenth."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_TIMES = float(os.environ.get("EXAMPLES", "1"))


def examples(usual: int) -> int:
    """The number of examples, where so many are usual; one at the least."""
    return max(1, int(usual * _TIMES))


def share(cases: Sequence[T]) -> Sequence[T]:
    """All cases; below the usual number of examples only as large a share of them, spread evenly."""
    return cases[:: max(1, round(1 / _TIMES))]
