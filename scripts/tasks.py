"""`make tasks`: list parked tasks; with ARM=1 give them their attempts back and let them run now.

Against AWS with the credentials of the environment (STAGE=...), else against the local stack that runs.
"""

import os
import sys

from scripts.endpoint import use_local_stack_unless_stage


def main() -> int:
    """Print one line per parked task."""
    use_local_stack_unless_stage()
    from chalicelib.platform import agenda, clock
    from chalicelib.tasks import kinds as jobs

    assert jobs.ALL, "kinds of task are declared by the features"
    found = list(agenda.parked())
    for task in found:
        print(f"{task.kind.name}  {task.organization.id}  {task.subject}  due {task.due_at:%Y-%m-%dT%H:%M:%SZ}")
        if os.environ.get("ARM") == "1":
            armed = agenda.rearm(task.key, real_now=clock.utc_now())
            agenda.push([armed] if armed else [])
    print(f"{len(found)} parked" + (", armed again" if os.environ.get("ARM") == "1" and found else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
