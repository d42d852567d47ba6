"""Kept state of the local stack: everything that the emulator holds in memory is in a file before a client hears of it.

`disk`      the file: SQLite, one commit for all that happened in a turn of the event loop
`tables`    DynamoDB: tables and their items
`messages`  SQS: queues, messages, how often each was received
`objects`   S3: buckets and objects
`secrets`   KMS: keys and their aliases
`legacy`    state that earlier versions saved at a clean stop

Answers wait for the commit, reads as well: nobody is told what could still be lost. decisions/0022 has why.
"""

import gc
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from infra.local.keeping import legacy, messages, objects, secrets, tables
from infra.local.keeping.disk import Disk, Progress

Answer = tuple[int, dict[str, str], Any]
Handler = Callable[..., Awaitable[Answer]]

_SERVICES = (tables, messages, objects, secrets)


def attach(disk: Disk, folder: Path, progress: Progress) -> None:
    """Fill ministack's services from the file, and from now on write to it what they change."""
    old = legacy.state(folder) if disk.empty else {}
    for service in _SERVICES:
        service.load(disk, progress)
        if service.NAME in old:
            service.adopt(old[service.NAME])
    for service in _SERVICES:
        service.MODULE.handle_request = _settled(disk, service.MODULE.handle_request, service.changed)
    disk.write()
    legacy.put_aside(folder)


# From time to time what stays is taken out of what the search for garbage looks at.
_FROZEN_EVERY_REQUESTS = 2_000
_requests = count(1)


def _settled(disk: Disk, handle: Handler, changed: Callable[[dict[str, str]], None]) -> Handler:
    async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Answer:
        answer = await handle(method, path, headers, body, query)
        changed({"method": method, "action": headers.get("x-amz-target", "").rpartition(".")[2]})
        await disk.settled()
        if next(_requests) % _FROZEN_EVERY_REQUESTS == 0:
            gc.collect(1)
            gc.freeze()
        return answer

    return handle_request
