"""Fair queues in the emulator, as AWS has them: messages of groups that have little in flight are handed out first.

ministack hands out what was sent first. Behind a hundred thousand messages of one organization another one's would wait for all
of them.
"""

import heapq
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]


def install() -> None:
    """Let the ministack of this process hand out messages fairly."""
    from ministack.services import sqs

    first_come = sqs._collect_msgs

    def collect(queue: dict[str, Any], most: int, visibility_seconds: int) -> list[Message]:
        if queue["is_fifo"]:
            return list(first_come(queue, most, visibility_seconds))
        # A queue with nothing but these hands out these.
        chosen = {**queue, "messages": choose(queue["messages"], most, time.time())}
        return list(first_come(chosen, most, visibility_seconds))

    sqs._collect_msgs = collect


def choose(messages: Iterable[Message], most: int, now: float) -> list[Message]:
    """Up to `most` of the visible messages (in the order in which they were sent): each time the oldest of the group that has
    the fewest in flight, those just chosen included. A message without a group is a group of its own."""
    in_flight: Counter[str] = Counter()
    waiting: dict[str, list[tuple[int, Message]]] = {}
    for n, message in enumerate(messages):
        group = message.get("group_id") or message["id"]
        if message.get("visible_at", 0) <= now:
            own = waiting.setdefault(group, [])
            if len(own) < most:
                own.append((n, message))
        elif message.get("receive_count"):
            in_flight[group] += 1
    turns = [(in_flight[group], own[0][0], group, 0) for group, own in waiting.items()]
    heapq.heapify(turns)
    chosen: list[Message] = []
    while turns and len(chosen) < most:
        taken, _, group, n = heapq.heappop(turns)
        own = waiting[group]
        chosen.append(own[n][1])
        if n + 1 < len(own):
            heapq.heappush(turns, (taken + 1, own[n + 1][0], group, n + 1))
    return chosen
