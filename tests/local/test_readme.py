"""The README's first steps, pasted into a shell twice: both times they print what the README shows."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.emulator import ROOT
from tests.support.make_run import MakeRun

pytestmark = pytest.mark.pdf

_BLOCK = re.compile(r"^```(sh|text|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _blocks() -> list[tuple[str, str]]:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## A first invoice in five minutes")[2].partition("\n## ")[0]
    return _BLOCK.findall(section)


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[MakeRun]:
    made = MakeRun(tmp_path_factory.mktemp("readme")).wait_until_up()
    yield made
    made.end(15)


def _as_pasted(stack: MakeRun, shell: str) -> tuple[list[str], str]:
    """What the shell prints on the terminal, line by line, and what it complains of."""
    steps = "".join(
        f"python3 - <<'END'\n{text}END\n" if kind == "python" else text for kind, text in _blocks() if kind != "text"
    )
    steps = steps.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{stack.port}")
    variables = {name: value for name, value in os.environ.items() if name not in ("KEY", "URL", "METRIC")}
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    done = subprocess.run(
        [shell], input=steps, cwd=stack.folder, env=variables, capture_output=True, text=True, timeout=120
    )
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("paste", ["first", "second"])
def test_each_paste_of_the_first_steps_prints_what_the_readme_shows(stack, paste):
    printed, complained = _as_pasted(stack, "bash")
    expected = "".join(text for kind, text in _blocks() if kind == "text").splitlines()
    assert complained == "", (printed, complained)
    assert len(printed) == len(expected), printed
    for line, shown in zip(printed, expected, strict=True):
        assert re.fullmatch(re.escape(shown).replace("…", ".+"), line), (line, shown)


def test_every_step_shows_what_it_prints_and_the_python_is_five_lines():
    kinds = [kind for kind, _ in _blocks()]
    assert kinds == ["sh", "text"] * 7 + ["python", "text"]
    (python,) = (text for kind, text in _blocks() if kind == "python")
    assert len([line for line in python.splitlines() if line]) == 5
