"""The list of customers and its filters."""

from collections.abc import Callable, Sequence
from typing import get_args

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers import store
from chalicelib.features.customers.records import AccountType, Customer, CustomerType
from chalicelib.features.customers.store import CustomerRow
from chalicelib.platform import counters, listing, parameters, schema
from chalicelib.platform.http import Call
from chalicelib.platform.ids import OrganizationId, key


def _fields(call: Call) -> dict[str, list[str]]:
    """The filters by a field of the record: which values it may have.

    Raises: Invalid.
    """
    countries = parameters.texts(call, "countries")
    if any(country.upper() not in schema.countries() for country in countries):
        raise Invalid.field("countries", ErrorCode.NOT_A_VALID_COUNTRY_CODE)
    return {
        "account_type": parameters.words(call, ["account_type"], get_args(AccountType)),
        "country": [country.upper() for country in countries],
        "state": parameters.texts(call, "states"),
        "zipcode": parameters.texts(call, "zipcodes"),
        "currency": parameters.words(call, ["currencies"], CURRENCIES),
        "customer_type": parameters.words(call, ["customer_type"], get_args(CustomerType)),
    }


def page(call: Call) -> tuple[list[Customer], dict[str, int | None]]:
    """One page of the live customers that the query's filters leave, newest first.

    Raises: Invalid, for values outside the enumerations.
    """
    chosen = listing.Filter()
    for field, wanted in _fields(call).items():
        if wanted:
            chosen.one_of(field, wanted)
    for parameter, field in (
        ("has_tax_identification_number", "tax_identification_number"),
        ("has_customer_type", "customer_type"),
    ):
        is_there = parameters.switch(call, parameter)
        if is_there is not None:
            chosen.present(field, is_there=is_there)
    for name, value in parameters.nested(call, "metadata").items():
        chosen.pair("metadata", name, value, most=limits.METADATA_PAIRS_MAX)
    chosen.words(call.one("search_term"))
    organization_id = call.organization.id
    overdue = parameters.switch(call, "has_overdue_invoices")
    is_whole = not chosen.conditions and overdue is None
    wanted_list = listing.Listing(
        organization_id,
        CustomerRow,
        key(organization_id, "customer"),
        where=chosen.conditions,
        total=(lambda: counters.total(organization_id, "customer")) if is_whole else None,
        sieve=None if overdue is None else _with_overdue(organization_id, wanted=overdue),
        sieved_by="" if overdue is None else f"overdue={overdue}",
    )
    found, meta = listing.read(wanted_list, listing.wanted(call))
    return [row.value for row in found], meta


def _with_overdue(
    organization_id: OrganizationId, *, wanted: bool
) -> Callable[[Sequence[CustomerRow]], list[CustomerRow]]:
    """Leaves customers with overdue invoices, or those without. The customer itself does not change with its invoices: their
    figures are read beside it."""

    def kept(found: Sequence[CustomerRow]) -> list[CustomerRow]:
        overdue = store.overdue_among(organization_id, [row.value.id for row in found])
        return [row for row in found if (row.value.id in overdue) is wanted]

    return kept
