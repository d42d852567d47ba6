"""The taxes of European VAT: making them, and the one of a customer. Source: rules/invoices 4.3."""

from collections.abc import Callable, Sequence
from datetime import datetime

from chalicelib.domain.errors import Invalid
from chalicelib.domain.invoicing import eu_vat
from chalicelib.domain.invoicing.eu_vat import Verdict
from chalicelib.features.taxes import service
from chalicelib.features.taxes.records import Tax
from chalicelib.features.taxes.store import TAXES
from chalicelib.platform.ids import OrganizationId, TaxId, new_id


def unknown(_number: str) -> Verdict:
    """The verdict on a VAT number while nobody is asked: the product reaches no register of its own accord."""
    return "unknown"


# The check of VAT numbers. An installation that may ask the register puts its own function here.
check: Callable[[str], Verdict] = unknown


def make_missing(organization_id: OrganizationId, *, now: datetime) -> None:
    """Create those of the taxes that there are not. Idempotent, also beside another request that does the same."""
    wanted = {tax.code: tax for tax in eu_vat.all_taxes()}
    known = TAXES.find_many(organization_id, list(wanted))
    for code, each in wanted.items():
        if code in known:
            continue
        tax = Tax(
            id=new_id(),
            created_at=now,
            updated_at=now,
            name=each.name,
            code=code,
            rate=each.rate,
            description=each.description,
        )
        try:
            TAXES.create(organization_id, tax)
        except Invalid:
            continue  # Somebody else made it meanwhile.


def has_one(organization_id: OrganizationId, tax_ids: Sequence[TaxId]) -> bool:
    """Whether one of these taxes is of the list."""
    return any(tax.code.startswith(eu_vat.PREFIX) for tax in service.live(organization_id, tax_ids))


def id_of(
    organization_id: OrganizationId, country: str | None, zipcode: str | None, vat_number: str | None, *, ours: str
) -> TaxId | None:
    """The tax of a customer; None where an organization deleted it."""
    verdict = check(vat_number) if vat_number else "unknown"
    code = eu_vat.code_of(country, zipcode, vat_number, verdict, ours=ours)
    found = TAXES.find(organization_id, code)
    return None if found is None else found.id
