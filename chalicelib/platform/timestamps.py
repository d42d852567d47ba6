"""Instants as text: stored ones in fixed width, so that text order is time order; those of the API as it prints
them."""

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """An aware instant as text of 27 characters, microseconds included, which sorts by time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unstamp(text: str) -> datetime:
    """The instant that `stamp` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    """The API's usual form of an instant: to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at: datetime | None) -> str | None:
    """`iso`, or None for None."""
    return None if at is None else iso(at)


def iso_millis(at: datetime) -> str:
    """The API's form of event timestamps and starts of subscriptions: with milliseconds, truncated."""
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
