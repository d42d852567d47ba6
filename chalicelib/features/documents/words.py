"""The words on documents, by language. Source: rules/invoices 12."""

import json
from functools import lru_cache
from pathlib import Path

from chalicelib.domain.invoicing.eu_vat import STANDARD_RATES

_FOLDER = Path(__file__).parent / "words"

# Countries whose law wants the title `Tax invoice`. Source: rules/invoices 12.
TAX_INVOICE_COUNTRIES = frozenset({"AU", "AE", "NZ", "ID", "SG"})

# Countries whose businesses are known by the number of their value added tax, and numbers that a language has a name of its
# own for, at home.
_VAT_COUNTRIES = frozenset(STANDARD_RATES) | {"CH", "GB", "IS", "LI", "NO"}
_AT_HOME = {("pt-BR", "BR"): "CNPJ/CPF", ("zh-TW", "TW"): "統一編號"}


@lru_cache
def words(locale: str) -> dict[str, str]:
    """The words of a language; English for one that is not known."""
    known = {path.stem: path for path in _FOLDER.glob("*.json")}
    found: dict[str, str] = json.loads(known.get(locale, known["en"]).read_text())
    return found


def tax_id(locale: str, country: str | None) -> str:
    """The word for the tax number of somebody in a country."""
    own = words(locale)
    return _AT_HOME.get((locale, country or "")) or own["vat_id" if country in _VAT_COUNTRIES else "tax_id"]
