"""Writes of the core table, and the one transaction that carries out those of a change.

A write carries the refusal that its failed condition means, so that callers need not know the place of a write among
others. A write without a refusal is under an optimistic lock: where its condition fails another writer was faster, and
`platform/retry.py` runs the change again from its reads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chalicelib.platform import dynamodb
from chalicelib.platform.dynamodb import Action, Cancelled, RawItem

# A refusal may depend on the item that stood there (None: none did). None as its answer: another writer was faster.
Refusal = Exception | Callable[[RawItem | None], Exception | None]


@dataclass(frozen=True, slots=True)
class Write:
    """One write, not yet carried out. `refusal`: the refusal that its failed condition means; `use`: which of
    the process's clients carries it out where it stands alone."""

    action: Action
    refusal: Refusal | None = None
    use: str = "standard"

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
        """Carry out all writes in one transaction; nothing to do where there are none.

        Raises: the refusal of the first write whose condition failed, where no optimistic lock failed beside it;
        Cancelled, where one did (`is_race`) or DynamoDB refused the transaction itself; Crowded, when conflicts or
        throttling did not end.
        """
        try:
            dynamodb.transact([each.action for each in self._writes])
        except Cancelled as error:
            refusal = self._refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error

    def _refusal_of(self, error: Cancelled) -> Exception | None:
        """The refusal to raise. Where a lock failed or a collision was met as well, the decision itself rests on what
        has changed meanwhile: it is run again, and says then what holds."""
        first: Exception | None = None
        for write, reason in zip(self._writes, error.reasons, strict=True):
            if reason.code == "None":
                continue
            refusal = _named(write.refusal, reason.item) if reason.failed else None
            if refusal is None:
                return None
            first = first or refusal
        return first


def _named(refusal: Refusal | None, item: RawItem | None) -> Exception | None:
    return refusal if refusal is None or isinstance(refusal, Exception) else refusal(item)
