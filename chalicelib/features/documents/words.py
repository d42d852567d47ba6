"""The words on documents, by language. Source: rules/invoices 12."""

import json
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "words"

# Countries whose law wants the title `Tax invoice`. Source: rules/invoices 12.
TAX_INVOICE_COUNTRIES = frozenset({"AU", "AE", "NZ", "ID", "SG"})


@lru_cache
def words(locale: str) -> dict[str, str]:
    """The words of a language; English for one that is not known."""
    known = {path.stem: path for path in _FOLDER.glob("*.json")}
    found: dict[str, str] = json.loads(known.get(locale, known["en"]).read_text())
    return found
