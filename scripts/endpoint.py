"""Installation that a command talks to."""

import os
from pathlib import Path

from infra.local.emulator import environment


def use_local_stack_unless_stage() -> None:
    """With STAGE set: AWS, by the credentials of the environment. Else the local stack, which must be running."""
    if os.environ.get("STAGE"):
        return
    port = Path(".local/emulator_port")
    if not port.exists():
        raise SystemExit("The local stack does not run here (make run), and no STAGE is given.")
    os.environ.update(environment(f"http://127.0.0.1:{port.read_text().strip()}", int(os.environ.get("PORT", "8000"))))
