"""Run all of the benchmark, print it, and write docs/benchmarks.md. Fails when a bound is not kept."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from infra.local.emulator import Emulator, environment, free_port

_PAGE = Path("docs/benchmarks.md")


def main() -> int:
    """0 when every bound holds."""
    emulator = Emulator(free_port(), None, Path(".local/bench.log"))
    emulator.wait_until_up()
    os.environ.update(environment(emulator.url, 8000, LOG_LEVEL="ERROR", ADMIN_API_KEY="bench"))
    try:
        from infra.local import provision
        from scripts.bench import billing, metering, tables

        from chalicelib.platform import aws  # isort: skip

        provision.tables(aws.client("dynamodb"), "local")
        provision.queues(aws.client("sqs"), "local")
        provision.key(aws.client("kms"), "local")
        counted = [*billing.requests(), *metering.costs(), *billing.reading(), _import_ratio()]
        timed, profile = metering.speed()
    finally:
        emulator.stop()
    page = _page(tables.markdown(counted), tables.markdown(timed), profile)
    _PAGE.write_text(page)
    print(page)
    broken = [row.work for row in (*counted, *timed) if not row.kept]
    if broken:
        print("Bounds not kept:", "; ".join(broken), file=sys.stderr)
    return 1 if broken else 0


def _import_ratio() -> object:
    """The cold import of app.py against that of the libraries alone, several of each, in turn."""
    from scripts.bench.tables import Row

    # `import pydantic` by itself loads nothing: its parts come when they are named.
    libraries = "import boto3, chalice; from pydantic import BaseModel; from aws_lambda_powertools import Logger"
    code = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
    # As in the package, which ships compiled files.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "chalicelib", "app.py"], check=True)
    times: dict[str, list[float]] = {"import app": [], libraries: []}
    for _ in range(7):
        for what, found in times.items():
            out = subprocess.run([sys.executable, "-c", code.format(what)], capture_output=True, text=True, check=True)
            found.append(float(out.stdout))
    ratio = min(times["import app"]) / min(times[libraries])
    return Row("cold import of app.py against boto3, chalice, pydantic and powertools alone", "times", ratio, 1.25)


def _page(counted: str, timed: str, profile: str) -> str:
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC).date().isoformat()}. Requests and capacity units are counted at the client by
AWS's documented rules (1 KB per write unit, 4 KB per read unit, twice in a transaction, once more per index touched); they do
not depend on the machine. The bounds are those of docs/architecture.md.

{counted}

The following depend on the machine; they are here to compare with each other.

{timed}

Where the time of `meter` goes (two batches of 1,000 events on ministack, by own time):

```
{profile}
```
"""


if __name__ == "__main__":
    sys.exit(main())
