"""Busy: AWS could not serve a valid request just now, and the same request may succeed later.

Busy are throttling of any kind, conflicts of transactions, failures of AWS's own (5xx), and answers that did not come.
The caller waits, with exponential backoff and jitter, and counts no failure.
"""

import random
from collections.abc import Callable

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

THROTTLED = {
    "BandwidthLimitExceeded",
    "OverLimit",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
}
CONFLICTS = {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}


class Busy(Exception):
    """A request did not succeed within its time. Repeating it later is idempotent."""


def is_busy(error: BaseException | None) -> bool:
    """Whether this error, or one that it was raised from, means that AWS is busy."""
    if error is None:
        return False
    if isinstance(error, (Busy, HTTPClientError, NotConnected)):
        return True
    if isinstance(error, ClientError):
        code = error_code(error)
        return code in THROTTLED or code in CONFLICTS or _status(error) >= 500
    return is_busy(error.__cause__)


def error_code(error: ClientError) -> str:
    """The AWS error code, without the service's name before it."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]


def pause(attempt: int, *, first: float, most: float, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after an attempt (the first is 0): twice as long each time up to `most`, with jitter down to
    half."""
    return (0.5 + draw() / 2) * min(most, first * 2.0 ** min(attempt, 30))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
