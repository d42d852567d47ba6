"""A customer as a payment provider is told of it."""

import hashlib
import json
from dataclasses import asdict

from chalicelib.features.customers.records import Customer
from chalicelib.features.payments.providers.values import CustomerDetails


def of(customer: Customer) -> CustomerDetails:
    """The details. A customer may have several addresses of mail: the first one is told."""
    return CustomerDetails(
        id=customer.id,
        external_id=customer.external_id,
        name=customer.name or "",
        firstname=customer.firstname or "",
        lastname=customer.lastname or "",
        email=(customer.email or "").split(",")[0].strip(),
        phone=customer.phone or "",
        address_line1=customer.address_line1 or "",
        address_line2=customer.address_line2 or "",
        city=customer.city or "",
        postal_code=customer.zipcode or "",
        state=customer.state or "",
        country=customer.country or "",
    )


def digest(details: CustomerDetails) -> str:
    """A digest of the details, by which a change is seen."""
    return hashlib.sha256(json.dumps(asdict(details), sort_keys=True).encode()).hexdigest()[:32]
