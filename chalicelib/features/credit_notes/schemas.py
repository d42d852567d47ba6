"""The request that changes a credit note. Source: rules/invoices 7.3, 11."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.credit_notes.records import RefundStatus
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
        if text is not None and not isinstance(text, str):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "value")
        if text is not None and len(text) > _VALUE_LENGTH_MAX:
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "value")
    return dict(value)


class CreditNoteUpdate(schema.Request):
    """The body of an update; absent fields stay."""

    refund_status: RefundStatus = "pending"
    metadata: Annotated[
        dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=255)] | None],
        BeforeValidator(_metadata),
    ] = {}
