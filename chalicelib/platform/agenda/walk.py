"""A resumable walk: one step for each of many items, over as many runs of a task as it takes.

A run stays well below the worker's 15 minutes. When its time is up, the task keeps the place that it came to (`after` in its
detail), and the next run begins behind it. A step may be repeated, so it must be idempotent.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task

T = TypeVar("T")

RUN_SECONDS = 300


def place_of(task: Task) -> str:
    """The place of the last item that earlier runs finished; empty in the first run."""
    return str(task.detail.get("after", ""))


def walk(task: Task, items: Iterable[tuple[str, T]], step: Callable[[T], object], *, now: datetime) -> bool:
    """Carry out `step` for each item, given with its place and beginning behind `place_of(task)`. True at the end of the walk,
    when the caller removes the task; False when the time was up before, and the task goes on later."""
    give_up_at = time.monotonic() + RUN_SECONDS
    for place, item in items:
        step(item)
        if time.monotonic() > give_up_at:
            rest = replace(task, detail={**task.detail, "after": place})
            agenda.put(rest, now=now).alone()
            agenda.push([rest] if not rest.in_clock else [])
            return False
    return True
