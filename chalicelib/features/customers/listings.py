"""The list of customers and its filters."""

from typing import Any

from chalicelib.features.customers.records import Customer
from chalicelib.features.customers.store import CUSTOMERS
from chalicelib.platform import counters, listing
from chalicelib.platform.http import Call
from chalicelib.platform.ids import key

# Filters by a field of the record: query parameter -> path inside the item.
_FIELDS = {
    "account_type": "account_type",
    "countries": "country",
    "states": "state",
    "zipcodes": "zipcode",
    "currencies": "currency",
    "customer_type": "customer_type",
}


def page(call: Call) -> tuple[list[Customer], dict[str, int | None]]:
    """One page of the live customers that the query's filters leave, newest first."""
    where: list[str] = []
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for parameter, field in _FIELDS.items():
        wanted = call.many(parameter)
        if wanted:
            places = [f":{field}{i}" for i in range(len(wanted))]
            where.append(f"#record.#{field} IN ({', '.join(places)})")
            values |= dict(zip(places, wanted, strict=True))
            names[f"#{field}"] = field
    for parameter, field in (
        ("has_tax_identification_number", "tax_identification_number"),
        ("has_customer_type", "customer_type"),
    ):
        wish = call.one(parameter)
        if wish in ("true", "false"):
            # Absent values are stored as null.
            where.append(f"{'NOT ' if wish == 'true' else ''}attribute_type(#record.#{field}, :null)")
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
