"""What a process costs before it does anything: its imports."""

import subprocess
import sys

from scripts.bench.tables import Row

# `import pydantic` by itself loads nothing: its parts come when they are named.
_LIBRARIES = "import boto3, chalice; from pydantic import BaseModel; from aws_lambda_powertools import Logger"
_TAKES_EVENTS = 'endpoints.find("POST", ["events", "batch"]).load()'


def rows() -> list[Row]:
    """The cold import of app.py, and what the first event adds to it."""
    return [_ratio(), modules()]


def modules() -> Row:
    """Modules of ours that a process has imported when it takes its first event. Counted in a new one."""
    code = f"import sys, app; from chalicelib.platform.http import endpoints; {_TAKES_EVENTS}; "
    number = _run(code + 'print(sum(name.startswith("chalicelib.") for name in sys.modules))')
    return Row("modules of `chalicelib` imported before the first event is taken", "modules", number, 90)


def _ratio() -> Row:
    """The cold import of app.py against that of the libraries alone, several of each, in turn."""
    code = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
    # As in the package, which ships compiled files.
    subprocess.run([sys.executable, "-m", "compileall", "-q", "chalicelib", "app.py"], check=True)
    times: dict[str, list[float]] = {"import app": [], _LIBRARIES: []}
    for _ in range(7):
        for what, found in times.items():
            found.append(_run(code.format(what)))
    ratio = min(times["import app"]) / min(times[_LIBRARIES])
    return Row("cold import of app.py against boto3, chalice, pydantic and powertools alone", "times", ratio, 1.25)


def _run(code: str) -> float:
    """The number that a new process prints."""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(out.stdout)
