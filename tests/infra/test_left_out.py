"""`make test` on a machine that lacks a piece: the rest runs and the end says what was left out; in CI that fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_NO_JAVA = ("tests/contracts/storage/test_reference.py", "Amazon's DynamoDB Local needs Java 17")
_NO_BROWSER = ("tests/browser/test_harness.py", "The console is tested in Chromium")
_NO_PDF = ("tests/deployed/test_story.py", "PDFs need WeasyPrint's native libraries")


def _run(tests: str, folder: Path, *, ci: bool, workers: str) -> tuple[int, str]:
    """pytest where neither Java nor Chromium nor WeasyPrint's libraries are to be found."""
    (folder / "weasyprint.py").write_text('raise OSError("cannot load library libgobject-2.0-0")\n')
    variables = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_XDIST_WORKER")}
    variables |= {"PATH": str(folder), "PYTHONPATH": str(folder), **({"CI": "true"} if ci else {})}
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("tests", "reason", "workers"),
    [
        pytest.param(*_NO_JAVA, "0", id="no Java"),
        pytest.param(*_NO_BROWSER, "0", id="no Chromium"),
        pytest.param(*_NO_PDF, "1", id="no libraries for PDFs, by workers"),
    ],
)
def test_what_a_machine_cannot_test_is_left_out_and_named(tmp_path, tests, reason, workers):
    code, said = _run(tests, tmp_path, ci=False, workers=workers)
    assert code == 0, said
    (line,) = [line for line in said.splitlines() if line.startswith("Left out: ")]
    assert reason in line
    assert "apt-get install" in line


@pytest.mark.parametrize(
    ("tests", "reason", "workers"),
    [
        pytest.param(*_NO_JAVA, "1", id="no Java, by workers"),
        pytest.param(*_NO_BROWSER, "1", id="no Chromium, by workers"),
        pytest.param(*_NO_PDF, "0", id="no libraries for PDFs"),
    ],
)
def test_in_ci_nothing_may_be_left_out(tmp_path, tests, reason, workers):
    code, said = _run(tests, tmp_path, ci=True, workers=workers)
    assert code != 0
    assert f"CI is set, and nothing may be left out: {reason}" in said
