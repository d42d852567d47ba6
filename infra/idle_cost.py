"""Cost of an idle installation, by AWS's list prices (us-east-1, free tiers apart).

python -m infra.idle_cost

It counts what the template and the functions really have. All else costs nothing until it is used: tables are on
demand, functions run when there is work, storage is paid by what is stored.
"""

import json
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from chalicelib import limits
from infra.package import FUNCTIONS

_TEMPLATE = Path(__file__).parent / "resources.json"
_SECONDS_A_MONTH = 730 * 3600
_CENT = Decimal("0.01")

# Dollars.
_KEY_A_MONTH = Decimal(1)
_ALARM_A_MONTH = Decimal("0.10")
_REQUEST_TO_SQS = Decimal("0.40") / 10**6
_GIGABYTE_SECOND = Decimal("0.0000166667")
_READ_UNIT = Decimal("0.25") / 10**6

# Lambda waits at an idle queue with so many requests at a time, each for so long.
_POLLERS, _POLL_SECONDS = 5, 20
_TICK_SECONDS = Decimal("0.5")  # One walk over the shards, generously.


@dataclass(frozen=True, slots=True)
class Part:
    """Cost of one kind of resource, in dollars a month."""

    what: str
    cost: Decimal


def parts() -> list[Part]:
    """Resources that cost although nothing happens."""
    kinds = [resource["Type"] for resource in json.loads(_TEMPLATE.read_text())["Resources"].values()]
    keys, alarms = kinds.count("AWS::KMS::Key"), kinds.count("AWS::CloudWatch::Alarm")
    queues = sum(queue is not None for _, _, queue, _ in FUNCTIONS.values())
    polls = Decimal(_POLLERS * _SECONDS_A_MONTH) / _POLL_SECONDS
    return [
        Part(_plural(keys, "encryption key"), keys * _KEY_A_MONTH),
        Part(f"asking {_plural(queues, 'queue')}", queues * polls * _REQUEST_TO_SQS),
        Part(_plural(alarms, "alarm"), alarms * _ALARM_A_MONTH),
        Part("looking for due tasks every quarter-hour", _tick()),
    ]


def _tick() -> Decimal:
    memory = Decimal(FUNCTIONS["Tick"][1]) / 1024
    reads = limits.DUE_SHARDS * _READ_UNIT / 2
    return Decimal(_SECONDS_A_MONTH) / 900 * (_TICK_SECONDS * memory * _GIGABYTE_SECOND + reads)


def _plural(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def sentence() -> str:
    """The sum as README.md has it."""
    shown = " + ".join(f"${part.cost.quantize(_CENT)} ({part.what})" for part in parts())
    return f"{shown} = ${sum((part.cost.quantize(_CENT) for part in parts()), Decimal(0))}"


if __name__ == "__main__":
    print(sentence())
    sys.exit(0)
