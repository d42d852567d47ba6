"""The list of customers and its filters."""

from typing import Any, get_args

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import Invalid
from chalicelib.domain.money import CURRENCIES
from chalicelib.features.customers.records import AccountType, Customer, CustomerType
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.platform import counters, listing, parameters, schema
from chalicelib.platform.http import Call
from chalicelib.platform.ids import key


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
    where: list[str] = []
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for field, wanted in _fields(call).items():
        if wanted:
            places = [f":{field}{i}" for i in range(len(wanted))]
            where.append(f"#record.#{field} IN ({', '.join(places)})")
            values |= dict(zip(places, wanted, strict=True))
            names[f"#{field}"] = field
    for parameter, field in (
        ("has_tax_identification_number", "tax_identification_number"),
        ("has_customer_type", "customer_type"),
    ):
        wish = parameters.switch(call, parameter)
        if wish is not None:
            # Absent values are stored as null.
            where.append(f"{'NOT ' if wish else ''}attribute_type(#record.#{field}, :null)")
            values[":null"] = "NULL"
            names[f"#{field}"] = field
    if names:
        names["#record"] = "record"
    term = call.one("search_term")
    if term:
        where.append("contains(words, :term)")
        values[":term"] = term.lower()
    organization_id = call.organization.id
    total = None if where else lambda: counters.total(organization_id, "customer")
    wanted_list = listing.Listing(
        organization_id, key(organization_id, "customer"), where=where, values=values, names=names, total=total
    )
    items, meta = listing.read(wanted_list, listing.wanted(call))
    return [CUSTOMERS.read(item) for item in items], meta
