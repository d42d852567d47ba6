"""Event codes with charges paid in advance: the meter reads them before it stores events. Source: rules/usage 7.

One small item per organization, so that the meter needs one request, whatever plans and overrides there are. It counts
plans in their own transactions, and so is right whenever it is read. A code that has left the last plan stays for a
while, as events of subscriptions that have ended may come late.

Items
    pk                      sk    what it is
    <org>#advance-codes     -     `n:<code>`: how many plans have a charge of this code in advance, those of single
                                  subscriptions too; `left:<code>`: when one of them lost it (long codes as their hash:
                                  the item has room for several thousand)

Access patterns
    1 current(org)              GetItem   consistent
    2 actions(before, after)    part of the plan's own transaction
"""

from collections.abc import Iterable, Set
from datetime import datetime
from hashlib import sha256

from pynamodb.expressions.operand import Path

from chalicelib import limits
from chalicelib.platform import rows
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write

_NUMBER, _LEFT = "n:", "left:"
_PLAIN_MAX = 40


class Codes:
    """Codes, as the item names them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)

    def __bool__(self) -> bool:
        return bool(self._names)

    def __contains__(self, code: str) -> bool:
        """Whether a code is among them."""
        return bool(self._names) and _name(code) in self._names


def current(organization_id: OrganizationId, *, real_now: datetime) -> Codes:
    """The codes whose events may be charged at once."""
    item = rows.find_values(key(organization_id, "advance-codes"))
    since = stamp(real_now - limits.ADVANCE_CODES_KEPT)
    numbers = {name.removeprefix(_NUMBER): number for name, number in item.items() if name.startswith(_NUMBER)}
    return Codes(code for code, number in numbers.items() if number > 0 or item.get(_LEFT + code, "") > since)


def actions(organization_id: OrganizationId, *, before: Set[str], after: Set[str], real_now: datetime) -> list[Write]:
    """Count a plan under the codes that it has in advance now, and no more under those that it had."""
    entered, left = sorted(map(_name, after - before)), sorted(map(_name, before - after))
    if not entered and not left:
        return []
    sums = [Path([_NUMBER + code]).add(1) for code in entered] + [Path([_NUMBER + code]).add(-1) for code in left]
    leaving = [Path([_LEFT + code]).set(stamp(real_now)) for code in left]
    return [Row.change((key(organization_id, "advance-codes"), "-"), *sums, *leaving)]


def _name(code: str) -> str:
    """A code in the name of an attribute."""
    if len(code) <= _PLAIN_MAX and code.isascii() and not code.startswith("~"):
        return code
    return f"~{sha256(code.encode()).hexdigest()[:32]}"
