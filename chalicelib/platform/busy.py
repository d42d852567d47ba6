"""Busy: AWS asks to come again later, and nothing was wrong with what was asked.

That is throttling of any kind, transactions that met others, failures of AWS's own (5xx), and answers that did not come.
Whoever meets it waits, each time a longer while and each for another one, and counts no failure.
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
    """It did not get through in the time that there was. Asking again later is right, and harmless."""


def is_busy(error: BaseException | None) -> bool:
    """Whether this, or what it was raised from, says no more than that AWS is busy."""
    if error is None:
        return False
    if isinstance(error, (Busy, HTTPClientError, NotConnected)):
        return True
    if isinstance(error, ClientError):
        code = error_code(error)
        return code in THROTTLED or code in CONFLICTS or _status(error) >= 500
    return is_busy(error.__cause__)


def error_code(error: ClientError) -> str:
    """AWS's name of an error, without the name of the service before it."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]


def pause(attempt: int, *, first: float, most: float, draw: Callable[[], float] = random.random) -> float:
    """How many seconds to wait after so many attempts (from 0): twice as long each time, by chance down to half of it."""
    return (0.5 + draw() / 2) * min(most, first * 2.0 ** min(attempt, 30))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
