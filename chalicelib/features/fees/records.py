"""Records of standalone fees."""

from dataclasses import dataclass
from datetime import datetime

from chalicelib.features.invoices.records import Fee


@dataclass(frozen=True, slots=True)
class Stored:
    """A fee as it stands, with the version of its row."""

    fee: Fee
    version: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class PaidDays:
    """The days that a fee in advance paid for, half-open, and its cents."""

    start: datetime
    end: datetime
    cents: int
