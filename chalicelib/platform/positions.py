"""Cursors: values that a list keeps from one page to the next, for an hour. They are a cache: without them a page
costs more.

Items
    pk                                  sk      what it is
    <org>#cursor#<hash of the list>     <what>  `value`: a JSON text; expires
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from chalicelib import limits
from chalicelib.platform import clock
from chalicelib.platform.attributes import WholeAttribute
from chalicelib.platform.ids import OrganizationId, key
from chalicelib.platform.rows import Row


class CursorRow(Row):
    """A JSON text under the name of a list."""

    text = UnicodeAttribute(attr_name="value")
    expires_at = WholeAttribute()


def kept(organization_id: OrganizationId, listed: Sequence[Any], what: str) -> Any:
    """Value kept under the name `what`; None where it is absent or expired. `listed`: the values that identify the
    list."""
    found = CursorRow.find(_pk(organization_id, listed), what)
    if found is None or found.expires_at <= clock.utc_now().timestamp():  # Expired items go hours later.
        return None
    return json.loads(found.text)


def keep(organization_id: OrganizationId, listed: Sequence[Any], what: str, value: Any) -> None:
    """Keep a value under a name. A value too large for an item is not kept."""
    text = json.dumps(value, separators=(",", ":"))
    if len(text) <= limits.ITEM_BYTES_MAX:
        expires = int((clock.utc_now() + limits.CURSOR_KEPT).timestamp())
        CursorRow(pk=_pk(organization_id, listed), sk=what, text=text, expires_at=expires).put().alone()


def _pk(organization_id: OrganizationId, listed: Sequence[Any]) -> str:
    name = hashlib.sha256(json.dumps(list(listed), default=str).encode()).hexdigest()
    return key(organization_id, "cursor", name)
