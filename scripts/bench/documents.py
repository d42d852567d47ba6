"""Drawing documents: against WeasyPrint alone, and the memory of a long one."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scripts.bench.tables import Row
from tests.support import documents as samples

_LINES = 30 * 31  # They fill 30 pages and a summary.


def rows() -> list[Row]:
    """The figures. Memory is that of a process which draws nothing else."""
    from weasyprint import HTML

    from chalicelib.features.documents import invoices, letters, render
    from chalicelib.features.documents.page import Look

    page = invoices.page(samples.one_off(), Look(samples.organization()))
    html = render.html(page)
    styles, fonts = render._styles(letters.scripts(html))
    bare, ours = _alternately(
        lambda: HTML(string=html).write_pdf(stylesheets=[styles], font_config=fonts), lambda: render.pdf(page)
    )
    command = [sys.executable, "-m", "scripts.bench.documents"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [
        Row("a document of one page, against WeasyPrint alone with the same HTML", "times", ours / bare, 1.3),
        Row(f"memory that a document of {out[0]} pages takes", "MB", int(out[1]) / 1024, 512),
    ]


def _alternately(*what: Callable[[], object]) -> list[float]:
    """The processor's seconds of each, the best of some runs in turn, after one to warm up."""
    times: list[list[float]] = [[] for _ in what]
    for _ in range(4):
        for number, each in enumerate(what):
            start = time.process_time()
            each()
            times[number].append(time.process_time() - start)
    return [min(found[1:]) for found in times]


def _long() -> str:
    """Pages of a long document, and the most memory that this process took."""
    import io

    from pypdf import PdfReader

    from chalicelib.features.documents import invoices, render
    from chalicelib.features.documents.page import Look

    content = render.pdf(invoices.page(samples.invoice(samples.many_fees(_LINES)), Look(samples.organization())))
    # The kernel's own figure of a process starts with what the process that began it had.
    status = Path("/proc/self/status").read_text()
    most = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert most is not None, "Linux says it"
    return f"{len(PdfReader(io.BytesIO(content)).pages)} {most[1]}"


if __name__ == "__main__":
    print(_long())
