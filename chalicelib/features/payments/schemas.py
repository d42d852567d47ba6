"""The request that records a payment. Source: rules/invoices 10."""

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import schema


def _day_or_instant(value: Any) -> date | datetime | None:
    text = value.strip() if isinstance(value, str) else ""
    found = schema.instant(text)
    return found.date() if found is not None and re.fullmatch(r"\d{4}-\d\d-\d\d", text) else found


_DAY_OR_INSTANT = Annotated[date | datetime, BeforeValidator(_day_or_instant), schema.refused(ErrorCode.INVALID_DATE)]


class PaymentInput(schema.Request):
    """The body of a payment by hand. `paid_at`: a day where the customer is, or an instant; absent or null: now."""

    invoice_id: schema.Name
    amount_cents: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX)],
        schema.READ_INTEGER,
        schema.refused(ErrorCode.INVALID_VALUE),
    ]
    reference: Annotated[schema.Printed, Field(max_length=40)] | None = None
    paid_at: _DAY_OR_INSTANT | None = None
