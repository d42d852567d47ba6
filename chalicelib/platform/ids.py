"""Ids, and user text inside keys.

A `lago_id` is a UUIDv7, so that ids sort by age. Where a write must be idempotent its id is derived from the thing that
the record is for, so that the second write meets the first.
"""

import hashlib
import os
import re
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import NewType

# One type per kind of id: mypy refuses one id in place of another.
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
PaymentId = NewType("PaymentId", str)
PaymentReceiptId = NewType("PaymentReceiptId", str)
PaymentRequestId = NewType("PaymentRequestId", str)
PaymentProviderId = NewType("PaymentProviderId", str)
PaymentMethodId = NewType("PaymentMethodId", str)
CouponId = NewType("CouponId", str)
AppliedCouponId = NewType("AppliedCouponId", str)
WalletId = NewType("WalletId", str)
WalletTransactionId = NewType("WalletTransactionId", str)
WalletRuleId = NewType("WalletRuleId", str)
WebhookEndpointId = NewType("WebhookEndpointId", str)
WebhookId = NewType("WebhookId", str)
UserId = NewType("UserId", str)
InvitationId = NewType("InvitationId", str)
ApiKeyId = NewType("ApiKeyId", str)

# Most texts are ids of letters and digits, which need no escaping: this test is the fast path.
_PLAIN = re.compile(r"[A-Za-z0-9_.:@+-]{0,200}").fullmatch

# A sort key has at most 1,024 bytes and holds several parts: longer texts are replaced by their hash.
_LONGEST_PART_BYTES = 200


# The newest id of this process, and who may look at it. A clock set back by so many milliseconds does not count.
_newest, _newest_lock = 0, threading.Lock()
_SET_BACK_MS = 1000
_RANDOM = 1 << 62


def new_id() -> str:
    """A new UUIDv7 as text, greater than the one that this process made before: within a millisecond too, and where the clock
    was set back a little."""
    global _newest
    milliseconds = time.time_ns() // 1_000_000 & ((1 << 48) - 1)
    random_bits = int.from_bytes(os.urandom(10), "big")
    # Without the bits of version and variant: 48 of time, 12 that count up within a millisecond, 62 at random.
    value = milliseconds << 74 | random_bits & ((1 << 73) - 1)
    with _newest_lock:
        ahead = (_newest >> 74) - milliseconds
        if value <= _newest and ahead <= _SET_BACK_MS:
            value = (_newest // _RANDOM + 1) * _RANDOM | random_bits & (_RANDOM - 1)
        _newest = value
    high, low = value >> 62, value & (_RANDOM - 1)
    return str(uuid.UUID(int=high >> 12 << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low))


def made_at(new_id: str) -> datetime:
    """The real instant at which `new_id` made an id, truncated to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=uuid.UUID(new_id).int >> 80)


def derived_id(*parts: str) -> str:
    """The id derived from `parts` (a name-based UUID): the same parts always give the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "#".join(key_part(part) for part in parts)))


def derived_like(new_id: str, *parts: str) -> str:
    """The id derived from an id that `new_id` made and `parts`, which sorts by age among others as that id does.

    Raises: ValueError, where the text is no such id.
    """
    found = uuid.UUID(new_id)
    if found.version != 7:
        raise ValueError(f"no id of this house: {new_id}")
    rest = uuid.UUID(derived_id(str(found), *parts)).int & ((1 << 76) - 1)
    return str(uuid.UUID(int=found.int >> 80 << 80 | 0x7 << 76 | rest))


def key_part(text: str) -> str:
    """User text as one part of a key. `#`, which separates parts, is escaped; long text is replaced by its hash.

    Two different texts never give the same part: a hash begins with `~`, and a leading `~` of a text is escaped.
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
    """A key made of parts, each of them escaped."""
    return "#".join(key_part(part) for part in parts)


def shard(text: str, count: int) -> int:
    """The shard of a text: a number from 0 below `count`, evenly spread, and the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % count
