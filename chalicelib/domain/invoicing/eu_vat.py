"""European VAT by country: the standard rate of each member state, its territories of other rates, and whose tax counts.

Source: rules/invoices 4.3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

PREFIX = "lago_eu_"
REVERSE_CHARGE, EXEMPT = f"{PREFIX}reverse_charge", f"{PREFIX}tax_exempt"

# The answer of the check of a VAT number; unknown where nobody could be asked.
Verdict = Literal["valid", "invalid", "unknown"]

# Percent, as of 2026.
STANDARD_RATES = {
    "AT": "20",
    "BE": "21",
    "BG": "20",
    "CY": "19",
    "CZ": "21",
    "DE": "19",
    "DK": "25",
    "EE": "24",
    "ES": "21",
    "FI": "25.5",
    "FR": "20",
    "GR": "24",
    "HR": "25",
    "HU": "27",
    "IE": "23",
    "IT": "22",
    "LT": "21",
    "LU": "17",
    "LV": "21",
    "MT": "18",
    "NL": "21",
    "PL": "23",
    "PT": "23",
    "RO": "21",
    "SE": "25",
    "SI": "22",
    "SK": "23",
}

# Territories by country: name, rate in percent, how their postcodes begin.
_EXCEPTIONS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "AT": (("jungholz", "19", ("6691",)), ("mittelberg", "19", ("6991", "6992", "6993"))),
    "DE": (("busingen_am_hochrhein", "0", ("78266",)), ("heligoland", "0", ("27498",))),
    "ES": (("canary_islands", "0", ("35", "38")), ("ceuta", "0", ("51",)), ("melilla", "0", ("52",))),
    "FR": (
        ("guadeloupe", "8.5", ("971",)),
        ("martinique", "8.5", ("972",)),
        ("guyane", "0", ("973",)),
        ("reunion", "8.5", ("974",)),
        ("mayotte", "0", ("976",)),
    ),
    "GR": (("mount_athos", "0", ("63086", "63087")),),
    "IT": (("livigno", "0", ("23030", "23041")), ("campione_d_italia", "0", ("22061",))),
    "PT": (("madeira", "22", ("90", "91", "92", "93", "94")), ("azores", "16", ("95", "96", "97", "98", "99"))),
}


@dataclass(frozen=True, slots=True)
class EuTax:
    """A tax of the list. `rate` in percent."""

    code: str
    name: str
    rate: Decimal
    description: str


def all_taxes() -> Iterator[EuTax]:
    """All taxes that an organization needs."""
    for country, rate in STANDARD_RATES.items():
        yield EuTax(_standard(country), f"VAT {country}", Decimal(rate), f"Standard rate of {country}")
        for name, other, _ in _EXCEPTIONS.get(country, ()):
            title = name.replace("_", " ").title()
            yield EuTax(_exception(country, name), f"VAT {country}", Decimal(other), f"Rate of {title}")
    yield EuTax(REVERSE_CHARGE, "VAT reverse charge", Decimal(0), "The customer owes the tax")
    yield EuTax(EXEMPT, "VAT exempt", Decimal(0), "Outside the European Union")


def code_of(country: str | None, zipcode: str | None, vat_number: str | None, verdict: Verdict, *, ours: str) -> str:
    """The code of a customer's tax. A number that is not known to be valid counts as none. `ours`: our own country."""
    if vat_number and verdict == "valid" and _state_of(vat_number) not in (None, ours):
        return REVERSE_CHARGE
    where = country or ours
    if where not in STANDARD_RATES:
        return EXEMPT
    postcode = (zipcode or "").strip() if country else ""
    for name, _, begins in _EXCEPTIONS.get(where, ()):
        if postcode.startswith(begins):
            return _exception(where, name)
    return _standard(where)


def _state_of(vat_number: str) -> str | None:
    """The member state of a VAT number; Greece writes EL."""
    letters = vat_number.strip().upper()[:2]
    state = "GR" if letters == "EL" else letters
    return state if state in STANDARD_RATES else None


def _standard(country: str) -> str:
    return f"{PREFIX}{country.lower()}_standard"


def _exception(country: str, name: str) -> str:
    return f"{PREFIX}{country.lower()}_exception_{name}"
