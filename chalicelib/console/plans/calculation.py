"""The calculator below each charge of a form, which works on what is typed and not saved."""

from dataclasses import dataclass, field

from chalicelib.console import texts
from chalicelib.console.format import as_minor
from chalicelib.console.forms import Form
from chalicelib.console.plans import body
from chalicelib.console.texts import Refusal
from chalicelib.domain.errors import Invalid
from chalicelib.features.rating import calculator
from chalicelib.features.rating.calculator import Calculated

_OWN = ("units", "events_count")


@dataclass(frozen=True, slots=True)
class Shown:
    """Result of a calculator. `place`: of the charge, such as `charges.0`; `found`: None while prices are missing or
    wrong; `refusals`: of what was typed into the calculator itself."""

    place: str
    model: str
    currency: str
    found: Calculated | None = None
    package_size: str = ""
    refusals: list[Refusal] = field(default_factory=list)


def of_part(form: Form, place: str, default_currency: str) -> Shown:
    """Cost of the usage in a part's calculator; for a fixed charge, the cost of its units."""
    model, currency = form.value(f"{place}.charge_model"), body.currency_of(form, default_currency)
    priced = form.value(f"{place}.calculator.part") or place
    if not priced.startswith(f"{place}.filters."):
        priced = place
    properties = body.properties_at(form, priced, model)
    is_fixed = place.startswith("fixed_charges")
    least = as_minor(form.value(f"{place}.min_amount_cents"), currency) or 0
    try:
        found = calculator.calculate(
            model,
            properties,
            currency,
            units=form.value(f"{place}.units" if is_fixed else f"{place}.calculator.units") or "0",
            events=form.value(f"{place}.calculator.events") or "1",
            min_amount_cents=max(0, least),
        )
    except Invalid as error:
        own = {name: codes for name, codes in error.details.items() if name in _OWN}
        return Shown(place, model, currency, refusals=texts.all_refusals({} if is_fixed else own))
    return Shown(place, model, currency, found, str(properties.get("package_size", "")))


def of_all(form: Form, default_currency: str) -> dict[str, Shown]:
    """The calculators of all charges and fixed charges, by place."""
    places = [f"{group}.{number}" for group in ("charges", "fixed_charges") for number in form.rows(group)]
    return {place: of_part(form, place, default_currency) for place in places}
