"""`make pictures`: a picture of each kind of document, in docs/documents/.

Needs `pdftoppm` (Debian's poppler-utils), which `infra/setup.sh pictures` installs.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from chalicelib.features.documents import credit_notes, invoices, receipts, render
from chalicelib.features.documents.page import Look, Page
from tests.support import documents as samples

FOLDER = Path("docs/documents")
_DOTS_PER_INCH = 84


def pages() -> dict[str, Page]:
    """The documents by the names of their pictures."""
    own = samples.organization()
    plain = Look(own, logo=samples.logo(), intervals={"sub-1": "monthly"})
    payable = Look(
        own,
        logo=samples.logo(),
        payment_url="https://pay.example/i/9f2c",
        intervals={"sub-1": "monthly"},
    )
    paid = samples.reduced()
    return {
        "invoice": invoices.page(samples.reduced(), payable),
        "invoice-de": invoices.page(samples.reduced(), Look(own, "de", intervals={"sub-1": "monthly"})),
        "invoice-zh-TW": invoices.page(
            samples.invoice(
                samples.fees()[:3], customer=samples.customer(legal_name="明亮數據股份有限公司", country="TW")
            ),
            Look(own, "zh-TW", intervals={"sub-1": "monthly"}),
        ),
        "invoice-200-lines": invoices.page(samples.invoice(samples.many_fees(200)), plain),
        "one-off": invoices.page(samples.one_off(), payable),
        "advance": invoices.page(samples.advance(), plain, wallet="Premium credits"),
        "credit-note": credit_notes.page(samples.credit_note(), plain),
        "receipt": receipts.page(samples.receipt(), [paid], plain, paid_on=samples.PAID_ON),
    }


def main() -> int:
    """Draw them all; of long documents the first two pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "document.pdf"
            source.write_bytes(render.pdf(page))
            target = f"{folder}/page"
            command = ["pdftoppm", "-png", "-r", str(_DOTS_PER_INCH), "-l", "2", str(source), target]
            subprocess.run(command, check=True)
            for old in FOLDER.glob(f"{name}-page*.png"):
                old.unlink()
            for number, picture in enumerate(sorted(Path(folder).glob("page*.png")), start=1):
                (FOLDER / f"{name}-page{number}.png").write_bytes(picture.read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
