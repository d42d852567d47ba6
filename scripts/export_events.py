"""`make export-events ORGANIZATION=<id> FROM=2024-03-01 TO=2024-03-31`: raw events of UTC days as gzipped lines of JSON in the
bucket. Running it again replaces its files.

Against AWS with the credentials of the environment (STAGE=...), else against the local stack that runs.
"""

import os
import sys
from datetime import date

from scripts.endpoint import use_local_stack_unless_stage


def main() -> int:
    """Export, and print the names of the files."""
    try:
        organization_id = os.environ["ORGANIZATION"]
        first, last = (date.fromisoformat(os.environ[name]) for name in ("FROM", "TO"))
    except (KeyError, ValueError) as error:
        print(f"ORGANIZATION, FROM and TO (days like 2024-03-31) are needed: {error}")
        return 2
    use_local_stack_unless_stage()
    return report(organization_id, first, last)


def report(organization_id: str, first: date, last: date) -> int:
    """Export, print, and say by a number how it went."""
    from chalicelib.features.audit.export import export

    if last < first:
        print("TO lies before FROM")
        return 2
    manifest = export(organization_id, first, last)
    for name in manifest["files"]:
        print(name)
    print(f"{manifest['events']} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
