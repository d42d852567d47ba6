"""Other state of a service, beside its items, messages and objects: small, and written whole when it has changed."""

import json
from typing import Any

from ministack.core.persistence import _json_default, _json_object_hook

from infra.local.keeping.disk import Disk


class State:
    """One service's state in the file, in ministack's own form."""

    def __init__(self, disk: Disk, service: str) -> None:
        self._disk, self._service = disk, service
        self._written = b""

    def load(self) -> Any:
        """State written last, None before the first time."""
        found = self._disk.get("state", self._service)
        if found is None:
            return None
        self._written = found
        return json.loads(found, object_hook=_json_object_hook)

    def save(self, state: Any) -> None:
        """Write it, unless it is what was written last."""
        text = json.dumps(state, default=_json_default).encode()
        if text != self._written:
            self._disk.put("state", self._service, text)
            self._written = text
