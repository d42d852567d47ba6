"""Ids, and user text inside keys.

A `lago_id` is a UUIDv7, so that ids sort by age. Where a write must not happen twice the id is derived from what it
stands for, so that the second write meets the first.
"""

import hashlib
import os
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import NewType

# One type for each kind of id, so that one is never passed for another.
OrganizationId = NewType("OrganizationId", str)
CustomerId = NewType("CustomerId", str)
SubscriptionId = NewType("SubscriptionId", str)
PlanId = NewType("PlanId", str)
ChargeId = NewType("ChargeId", str)
ChargeFilterId = NewType("ChargeFilterId", str)
FixedChargeId = NewType("FixedChargeId", str)
BillableMetricId = NewType("BillableMetricId", str)
AddOnId = NewType("AddOnId", str)
TaxId = NewType("TaxId", str)
InvoiceId = NewType("InvoiceId", str)
FeeId = NewType("FeeId", str)
CreditNoteId = NewType("CreditNoteId", str)
WebhookEndpointId = NewType("WebhookEndpointId", str)
WebhookId = NewType("WebhookId", str)

# Most texts are ids of letters and digits, which are their own parts: one look tells.
_PLAIN = re.compile(r"[A-Za-z0-9_.:@+-]{0,200}").fullmatch

# Sort keys end at 1,024 bytes and hold several parts: longer texts stand as their hash.
_LONGEST_PART_BYTES = 200


def new_id() -> str:
    """A fresh UUIDv7 in text."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | ((random_bits >> 62) & 0xFFF) << 64
    value |= 0b10 << 62 | (random_bits & ((1 << 62) - 1))
    return str(uuid.UUID(int=value))


def made_at(new_id: str) -> datetime:
    """The real instant at which `new_id` made an id, to the millisecond, cut."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=uuid.UUID(new_id).int >> 80)


def derived_id(*parts: str) -> str:
    """The id of the one thing that `parts` stand for (a name-based UUID)."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "#".join(key_part(part) for part in parts)))


def key_part(text: str) -> str:
    """User text as one part of a key: `#` separates parts, so it is escaped; long text becomes its hash.

    Two different texts never give the same part: a hash begins with `~`, and a text's own leading `~` is escaped.
    """
    if _PLAIN(text):
        return text
    escaped = text.replace("%", "%25").replace("#", "%23")
    if escaped.startswith("~"):
        escaped = "%7E" + escaped[1:]
    if len(escaped.encode()) > _LONGEST_PART_BYTES:
        return "~" + hashlib.sha256(text.encode()).hexdigest()
    return escaped


def key(*parts: str) -> str:
    """A key of several parts, each of them escaped."""
    return "#".join(key_part(part) for part in parts)


def shard(text: str, count: int) -> int:
    """An even spread of `text` over `count` places, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % count
