"""Writes of the core table, and the one transaction that carries out those of a change.

A write carries the refusal that its failed condition means, so that callers need not know the place of a write among
others. A write without a refusal is under an optimistic lock: where its condition fails another writer was faster, and
`platform/retry.py` runs the change again from its reads.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.platform import dynamodb
from chalicelib.platform.dynamodb import Action, Cancelled, Key, RawItem

# A refusal may depend on the item that stood there (None: none did). None as its answer: another writer was faster.
Refusal = Exception | Callable[[RawItem | None], Exception | None]


@dataclass(frozen=True, slots=True)
class Sums:
    """Additions of one write to an item's counters, without a condition. `write`: the write of other sums there."""

    key: Key
    added: Mapping[str, int]
    write: Callable[[Key, Mapping[str, int]], list["Write"]]


@dataclass(frozen=True, slots=True)
class Write:
    """One write, not yet carried out. `refusal`: the refusal that its failed condition means; `use`: which of
    the process's clients carries it out where it stands alone; `sums`: where it only adds to counters."""

    action: Action
    refusal: Refusal | None = None
    use: str = "standard"
    sums: Sums | None = None

    def alone(self) -> None:
        """Carry it out outside a transaction.

        Raises: ConditionFailed or Busy, and nothing was written.
        """
        dynamodb.alone(self.action, use=self.use)


class Unit:
    """The writes of one change: all are carried out, or none."""

    def __init__(self, *writes: Write | Iterable[Write]) -> None:
        self._writes: list[Write] = []
        self.add(*writes)

    def add(self, *writes: Write | Iterable[Write]) -> None:
        """Add writes, in this order."""
        for each in writes:
            if isinstance(each, Write):
                self._writes.append(each)
            else:
                self._writes.extend(each)

    def commit(self) -> None:
        """Carry out all writes in one transaction; nothing to do where there are none. Counters of one item to which several
        writes add change once, as no transaction may touch an item twice.

        Raises: the refusal of the first write whose condition failed, where no optimistic lock failed beside it;
        Cancelled, where one did (`is_race`) or DynamoDB refused the transaction itself; Crowded, when conflicts or
        throttling did not end.
        """
        writes = _joined(self._writes)
        try:
            dynamodb.transact([each.action for each in writes])
        except Cancelled as error:
            refusal = _refusal_of(writes, error)
            if refusal is None:
                raise
            raise refusal from error


def _joined(writes: Iterable[Write]) -> list[Write]:
    """The writes, those that add to the counters of the same item as one, in the place of the first."""
    found: dict[object, list[Write]] = {}
    for number, write in enumerate(writes):
        found.setdefault(number if write.sums is None else write.sums.key, []).append(write)
    return [write for each in found.values() for write in (each if len(each) == 1 else _summed(each))]


def _summed(writes: Sequence[Write]) -> list[Write]:
    sums = [write.sums for write in writes if write.sums is not None]
    total: Counter[str] = Counter()
    for each in sums:
        total.update(each.added)
    return sums[0].write(sums[0].key, total)


def _refusal_of(writes: Sequence[Write], error: Cancelled) -> Exception | None:
    """The refusal to raise. Where a lock failed or a collision was met as well, the decision itself rests on what
    has changed meanwhile: it is run again, and says then what holds."""
    first: Exception | None = None
    for write, reason in zip(writes, error.reasons, strict=True):
        if reason.code == "None":
            continue
        refusal = _named(write.refusal, reason.item) if reason.failed else None
        if refusal is None:
            return None
        first = first or refusal
    return first


def _named(refusal: Refusal | None, item: RawItem | None) -> Exception | None:
    return refusal if refusal is None or isinstance(refusal, Exception) else refusal(item)
