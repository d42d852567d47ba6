"""Instants as text. Inside: fixed width, so that text order is time order. Outside: as the API prints them."""

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """An aware instant in 27 characters, microseconds included: sorts as time does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unstamp(text: str) -> datetime:
    """The instant that `stamp` wrote."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def iso(at: datetime) -> str:
    """As most fields of the API show an instant: to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at: datetime | None) -> str | None:
    """`iso`, or null for what has not happened."""
    return None if at is None else iso(at)


def iso_millis(at: datetime) -> str:
    """As event timestamps and starts of subscriptions are shown: with milliseconds (cut, not rounded)."""
    at = at.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
