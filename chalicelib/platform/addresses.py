"""The postal address in requests: the same six fields of customers, of their shipping, and of organizations."""

from chalicelib.platform import schema


class AddressInput(schema.Request):
    """An address, alone or as a part of a larger request; it changes field by field."""

    address_line1: schema.OptionalName = None
    address_line2: schema.OptionalName = None
    city: schema.OptionalName = None
    country: schema.NullOr[schema.Country] = None
    state: schema.OptionalName = None
    zipcode: schema.OptionalName = None
