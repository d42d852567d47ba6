"""The request that changes a credit note. Source: rules/invoices 7.3, 11."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from chalicelib.features.credit_notes.records import REFUND_STATUSES
from chalicelib.platform import schema

# Generic metadata: the bounds of the API.
METADATA_KEYS_MAX = 50
_KEY_LENGTH_MAX = 100
_VALUE_LENGTH_MAX = 255


def _metadata(value: Any) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise schema.refuse("invalid_type", "metadata")
    for name, text in value.items():
        if len(name) > _KEY_LENGTH_MAX:
            raise schema.refuse("value_is_too_long", "key")
        if text is not None and not isinstance(text, str):
            raise schema.refuse("value_is_invalid", "value")
        if text is not None and len(text) > _VALUE_LENGTH_MAX:
            raise schema.refuse("value_is_too_long", "value")
    return dict(value)


class CreditNoteUpdate(schema.Request):
    """The body of an update; absent fields stay."""

    refund_status: schema.one_of(*REFUND_STATUSES) = None  # type: ignore[valid-type]
    metadata: Annotated[dict[str, str | None], BeforeValidator(_metadata)] = {}
