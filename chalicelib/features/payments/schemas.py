"""The request that records a payment. Source: rules/invoices 10."""

from typing import Annotated

from pydantic import Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.platform import schema


class PaymentInput(schema.Request):
    """The body of a payment by hand. `paid_at` absent or null: now."""

    invoice_id: schema.Name
    amount_cents: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=limits.INTEGER_MAX)],
        schema.READ_INTEGER,
        schema.refused(ErrorCode.INVALID_VALUE),
    ]
    reference: Annotated[str, Field(strict=True, max_length=40)] | None = None
    paid_at: schema.Instant | None = None
