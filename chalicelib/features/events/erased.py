"""Lists that come from the log, without events that went with their metric."""

from collections.abc import Sequence
from datetime import timedelta

from chalicelib.features.billable_metrics import store as metrics
from chalicelib.features.metering import erase
from chalicelib.features.metering.log import Entry
from chalicelib.platform.table import usage
from chalicelib.platform.timestamps import stamp, unstamp

# What had come when the metric was deleted was metered by then, or soon after.
_METERED_WITHIN = timedelta(days=1)


def without(organization_id: str, entries: Sequence[Entry]) -> list[Entry]:
    """Those of the entries that are not erased. Where no metric of their codes was deleted lately nothing more is read."""
    deleted = metrics.deleted_codes(organization_id)
    ends = {code: stamp(unstamp(until) + _METERED_WITHIN) for code, until in deleted.items()}
    asked = [entry.key(organization_id) for entry in entries if entry.log <= ends.get(entry.code, "")]
    gone = {place for place, item in usage.get_many(asked).items() if erase.is_erased(item)}
    return [entry for entry in entries if entry.key(organization_id) not in gone] if gone else list(entries)
