"""KMS's keys and their aliases."""

from typing import Any

from ministack.services import kms as MODULE

from infra.local.keeping.disk import Disk, Progress
from infra.local.keeping.state import State

NAME = "kms"

_state: State | None = None


def load(disk: Disk, progress: Progress) -> None:
    """Fill ministack's keys from the file."""
    global _state
    _state = State(disk, NAME)
    MODULE.restore_state(_state.load())


def adopt(state: dict[str, Any]) -> None:
    """Take over what an earlier version saved."""
    MODULE.restore_state(state)
    changed({})


def changed(request: dict[str, str]) -> None:
    """After a request: written if keys are not what they were."""
    assert _state is not None, "loaded first"
    _state.save(MODULE.get_state())
