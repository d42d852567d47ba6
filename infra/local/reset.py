"""`make reset`: begin anew. Needs nothing but Python, so that it works whatever else is broken.

It says what goes and asks; `FORCE=1`, or `CI`, answers yes.
"""

import os
import shutil
import sys
from pathlib import Path

from infra.local.lock import Held, hold

FOLDER = Path(".local")


def main() -> int:
    """Remove `.local/`; 0 when it is gone."""
    if not FOLDER.exists():
        print("There is nothing in .local/: `make run` begins anew.")
        return 0
    try:
        with hold(FOLDER / "lock"):
            return _reset()
    except Held as held:
        print(f"Tollgate is running (process {held.process}, {held.about}). Stop it first.", file=sys.stderr)
        return 1


def _reset() -> int:
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    print(
        f"This removes {FOLDER.resolve()} ({size / 1e6:,.1f} MB) for good: every organization of the local stack with its"
    )
    print("customers, events, invoices and documents, its API keys and its admin key. What runs on AWS is not touched.")
    if not _agreed():
        print("Nothing was removed.")
        return 1
    shutil.rmtree(FOLDER)
    print("Removed. `make run` begins anew.")
    return 0


def _agreed() -> bool:
    if os.environ.get("FORCE") == "1" or os.environ.get("CI"):
        return True
    if not sys.stdin.isatty():
        print("Nobody is there to ask: FORCE=1 make reset.", file=sys.stderr)
        return False
    return input("Remove it? Type yes: ").strip().lower() == "yes"


if __name__ == "__main__":
    sys.exit(main())
