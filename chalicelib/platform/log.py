"""The structured logger of the process. Its lines name the request, message and task that they belong to.

The edges name these keys once (`about`, `note`); code that logs need not know them:

    request_id     HTTP: API Gateway's id of the request
    message_id     queues: SQS's id of the message; where a line concerns several, all of them, by spaces
    organization   the id of the organization; where a line concerns several, all of them, by spaces
    kind           the kind of the scheduled task that runs

The keys live in a context variable, so that each thread has its own, and are only looked at when a line is logged.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType

from aws_lambda_powertools import Logger

from chalicelib.platform.settings import settings

# A callable is evaluated only when a line is logged: for values that are costly to compute.
Value = str | Callable[[], str]

_keys: ContextVar[Mapping[str, Value]] = ContextVar("log_keys", default=MappingProxyType({}))


@contextlib.contextmanager
def about(**keys: Value) -> Iterator[None]:
    """Put these keys on every line that this thread logs inside of the block, beside those of the blocks around it."""
    token = _keys.set({**_keys.get(), **keys})
    try:
        yield
    finally:
        _keys.reset(token)


def note(**keys: Value) -> None:
    """Add keys that became known inside of a block of `about`: they stay until it ends."""
    _keys.set({**_keys.get(), **keys})


class _Keys(logging.Filter):
    """Adds the keys to a record; what the line itself says under the same name stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: each record passes."""
        for key, value in _keys.get().items():
            if key not in record.__dict__:
                record.__dict__[key] = value() if callable(value) else value
        return True


logger = Logger(service="tollgate", level=settings().log_level, serialize_stacktrace=False)
logger.addFilter(_Keys())
