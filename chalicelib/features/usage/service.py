"""Units of metrics in ranges of time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from chalicelib.domain.aggregation.readings import Reading
from chalicelib.domain.periods import Span
from chalicelib.features.usage import raw, reader
from chalicelib.platform import clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import key_part


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question: `field_name` None counts the events of a code, else its numeric values are summed."""

    code: str
    field_name: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Units:
    """The answer: exact units, and the number of events that made them."""

    units: Decimal
    events_count: int


def read(
    organization: OrganizationRef,
    external_subscription_id: str,
    wanted: Sequence[Wanted],
    *,
    now: datetime | None = None,
) -> list[Units]:
    """The answers to several questions about one subscription; those of one range cost the same requests as one.

    `now`: the real instant, which decides what may be folded (default: the clock's).
    """
    real_now = now or clock.utc_now()
    spans = {each.span for each in wanted}
    read_spans = {
        span: reader.read(organization.id, external_subscription_id, span, real_now=real_now) for span in spans
    }
    return [_answer(read_spans[each.span], each) for each in wanted]


def readings(
    organization: OrganizationRef,
    external_subscription_id: str,
    span: Span,
    codes: Collection[str],
    *,
    with_history: bool,
) -> dict[str, list[Reading]]:
    """The events of these codes in a range, by code; `with_history`: from the first event on."""
    return raw.readings(organization.id, external_subscription_id, span, codes, with_history=with_history)


def _answer(counted: reader.Counted, wanted: Wanted) -> Units:
    if wanted.field_name is None:
        number = counted.events(key_part(wanted.code))
        return Units(Decimal(number), number)
    total, having = counted.sum(key_part(wanted.code), wanted.field_name)
    return Units(total, having)
