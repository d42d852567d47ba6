"""The requests that make, estimate and change credit notes. Source: rules/invoices 7, 11."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.credit_notes.records import Reason, RefundStatus
from chalicelib.platform import schema

# Generic metadata: the bounds of the API.
METADATA_KEYS_MAX = 50
_KEY_LENGTH_MAX = 100
_VALUE_LENGTH_MAX = 255


def _metadata(value: Any) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise schema.refuse(ErrorCode.INVALID_TYPE, "metadata")
    for name, text in value.items():
        if len(name) > _KEY_LENGTH_MAX:
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "key")
        if not schema.is_printed(name):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "key")
        if text is not None and (not isinstance(text, str) or not schema.is_printed(text)):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "value")
        if text is not None and len(text) > _VALUE_LENGTH_MAX:
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "value")
    return dict(value)


def _items(value: Any) -> Any:
    if not isinstance(value, list):
        raise schema.refuse(ErrorCode.MUST_BE_AN_ARRAY, "items")
    return value


_WHOLE = Annotated[int, Field(strict=True, ge=-limits.INTEGER_MAX, le=limits.INTEGER_MAX)]
_PART = Annotated[int, Field(strict=True, ge=0, le=limits.INTEGER_MAX), schema.READ_INTEGER]
_METADATA = Annotated[
    dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=255)] | None],
    BeforeValidator(_metadata),
]


class ItemInput(schema.Request):
    """The credit on one fee, in whole cents. A negative one is refused in its turn."""

    fee_id: schema.Text | None = None
    amount_cents: Annotated[_WHOLE, schema.READ_INTEGER, schema.refused(ErrorCode.INVALID_VALUE)] = 0


class EstimateInput(schema.Request):
    """The body of an estimate."""

    invoice_id: schema.Text | None = None
    items: Annotated[list[ItemInput], BeforeValidator(_items)]


class CreditNoteInput(EstimateInput):
    """The body of a creation; amounts that are absent or null are 0."""

    reason: Reason | None = None
    description: schema.OptionalText = None
    credit_amount_cents: _PART | None = None
    refund_amount_cents: _PART | None = None
    offset_amount_cents: _PART | None = None
    metadata: _METADATA = {}


class CreditNoteUpdate(schema.Request):
    """The body of an update; absent fields stay."""

    refund_status: RefundStatus = "pending"
    metadata: _METADATA = {}


class CreditNoteMetadata(schema.Request):
    """The body of a change of the metadata alone."""

    metadata: _METADATA
