"""Package: whole packages of units at one price, after free units. Source: rules/usage 6.3."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chalicelib.domain.charges.amounts import amount_per_unit, decimal_text, is_whole
from chalicelib.domain.charges.usage import ChargeUsage, Priced
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.money import CONTEXT, decimal_string


@dataclass(frozen=True, slots=True)
class PackageProperties:
    """`amount`: the price of a package of `package_size` units, in currency units. The first `free_units` cost
    nothing."""

    amount: Decimal
    package_size: int
    free_units: int


def read(given: Mapping[str, Any]) -> tuple[PackageProperties | None, dict[str, list[str]]]:
    """The properties, or None and everything wrong with them: field -> codes."""
    amount, size, free = decimal_text(given.get("amount")), given.get("package_size"), given.get("free_units")
    wrong: dict[str, list[str]] = {}
    if amount is None:
        wrong["amount"] = [ErrorCode.INVALID_AMOUNT]
    if not is_whole(size) or not size:
        wrong["package_size"] = [ErrorCode.INVALID_PACKAGE_SIZE]
    if not is_whole(free):
        wrong["free_units"] = [ErrorCode.INVALID_FREE_UNITS]
    if wrong or amount is None or size is None or free is None:
        return None, wrong
    return PackageProperties(amount, size, free), {}


def default() -> dict[str, Any]:
    """Packages of one unit that cost nothing."""
    return {"amount": "0", "package_size": 1, "free_units": 0}


def price(usage: ChargeUsage, properties: PackageProperties) -> Priced:
    """Every package that was begun, at the price of a whole one."""
    paid = paid_units(usage.units, properties)
    amount = CONTEXT.multiply(begun(paid, properties.package_size), properties.amount)
    return Priced(amount, amount_per_unit(amount, paid), _details(usage.units, paid, properties))


def paid_units(units: Decimal, properties: PackageProperties) -> Decimal:
    """Units beyond the free ones."""
    return max(Decimal(0), CONTEXT.subtract(units, Decimal(properties.free_units)))


def begun(units: Decimal, size: int) -> Decimal:
    """Packages that so many paid units begin, the last of which may not be full."""
    whole, rest = CONTEXT.divmod(units, Decimal(size))
    return CONTEXT.add(whole, Decimal(1)) if rest else whole


def _details(units: Decimal, paid: Decimal, properties: PackageProperties) -> dict[str, Any]:
    # Without units the details have no packages. Source: rules/usage 8.
    if not units:
        return {"free_units": "0.0", "paid_units": "0.0", "per_package_size": 0, "per_package_unit_amount": "0.0"}
    return {
        "free_units": decimal_string(Decimal(properties.free_units)),
        "paid_units": decimal_string(paid),
        "per_package_size": properties.package_size,
        "per_package_unit_amount": decimal_string(properties.amount),
    }
