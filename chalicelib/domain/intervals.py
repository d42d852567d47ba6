"""Billing intervals of plans, and the calendars that they follow. Source: rules/billing-periods 1."""

from enum import StrEnum


class Interval(StrEnum):
    """The length of a plan's period."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    SEMIANNUAL = "semiannual"
    YEARLY = "yearly"

    @property
    def months(self) -> int:
        """Months in a period; 0 for a week, which is no number of months."""
        return {"weekly": 0, "monthly": 1, "quarterly": 3, "semiannual": 6, "yearly": 12}[self.value]

    @property
    def annual_factor(self) -> int:
        """Periods per year, for the comparison of plans."""
        return {"weekly": 52, "monthly": 12, "quarterly": 4, "semiannual": 2, "yearly": 1}[self.value]


class BillingTime(StrEnum):
    """Whether periods follow the calendar or the day on which the subscription began."""

    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"
