"""What requests about plans hold. Source: rules/catalog 2, 3; rules/usage 5."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from chalicelib import limits
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.platform import schema

FIXED_CHARGE_MODELS = ("standard", "graduated", "volume")
INTERVALS = ("weekly", "monthly", "quarterly", "semiannual", "yearly")


def _trial(value: Any) -> str:
    if value is None:
        return "0"
    days = schema.exact(value)
    if days is None:
        raise schema.refuse("value_is_invalid")
    if not 0 <= days <= Decimal(36500):
        raise schema.refuse("value_is_out_of_range")
    return format(days.normalize(), "f")


def _mapping(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise schema.refuse("value_is_invalid")
    return dict(value)


def _mapping_or_none(value: Any) -> dict[str, Any] | None:
    return None if value is None else _mapping(value)


def _units(value: Any) -> str:
    if value is None:
        return "0"
    units = schema.exact(value)
    if units is None:
        raise schema.refuse("value_is_invalid")
    plain = units.normalize()
    exponent = plain.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -limits.QUANTITY_DIGITS_AFTER:
        raise schema.refuse("value_is_invalid")
    if plain < 0 or plain >= Decimal(10) ** limits.UNITS_DIGITS_BEFORE:
        raise schema.refuse("value_is_out_of_range")
    return format(plain, "f") if plain else "0"


def _without_null(values: Any, *switches: str) -> Any:
    """Null switches are the defaults; a missing model is no valid one."""
    if not isinstance(values, Mapping):
        return values
    kept = {name: value for name, value in values.items() if not (name in switches and value is None)}
    return {"charge_model": None, **kept}


def _list_of_mappings(value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise schema.refuse("value_is_invalid")
    return value


def _filter_values(value: Any) -> dict[str, tuple[str, ...]]:
    """Keys with the values that each may have, each once."""
    if value is None or value == {}:
        raise schema.refuse("value_is_mandatory")
    if not isinstance(value, Mapping):
        raise schema.refuse("value_is_invalid")
    for listed in value.values():
        if listed is None or listed == []:
            raise schema.refuse("value_is_mandatory")
        if not isinstance(listed, list | tuple) or not all(isinstance(entry, str) for entry in listed):
            raise schema.refuse("value_is_invalid")
    return {str(name): tuple(dict.fromkeys(listed)) for name, listed in value.items()}


def _nothing_yet(value: Any) -> None:
    """Parts of a plan that are not billed yet: an empty one is fine, any other is refused rather than not billed."""
    if value:
        raise schema.refuse("value_is_invalid")


def _metadata(value: Any) -> dict[str, str | None]:
    pairs = _mapping(value)
    if len(pairs) > 50:
        raise schema.refuse("invalid_count", "metadata")
    for name, text in pairs.items():
        if len(name) > 100:
            raise schema.refuse("value_is_too_long", "key")
        if text is not None and (not isinstance(text, str) or len(text) > 255):
            raise schema.refuse("value_is_too_long", "value")
    return pairs


NotYet = Annotated[None, BeforeValidator(_nothing_yet)]


class ChargeInput(schema.Request):
    """One charge of a plan. `id` names an existing one on update."""

    id: schema.OptionalName = None
    billable_metric_id: schema.OptionalName = None
    code: schema.OptionalName = None
    charge_model: schema.one_of(*ChargeModel)  # type: ignore[valid-type]
    properties: Annotated[dict[str, Any], BeforeValidator(_mapping)] = {}
    filters: Annotated[list[dict[str, Any]], BeforeValidator(_list_of_mappings)] = []
    group_properties: Annotated[list[dict[str, Any]], BeforeValidator(_list_of_mappings)] = []
    pay_in_advance: schema.Boolean = False
    invoiceable: schema.Boolean = True
    regroup_paid_fees: schema.optional_one_of("invoice") = None  # type: ignore[valid-type]
    prorated: schema.Boolean = False
    min_amount_cents: schema.OptionalCents = None
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.Codes = []

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        return _without_null(values, "pay_in_advance", "invoiceable", "prorated")


class ChargeFilterInput(schema.Request):
    """One filter of a charge; its properties and values are checked against the charge's model and metric. `id`, which the
    API shows as `lago_id`, names an existing one."""

    id: schema.OptionalName = None
    invoice_display_name: schema.OptionalName = None
    properties: Annotated[dict[str, Any], BeforeValidator(_mapping)] = {}
    values: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_filter_values)]

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        # A missing mapping is an empty one, and both are refused with the same code.
        named = {"id": values.get("lago_id"), "values": None} if isinstance(values, Mapping) else {}
        return {**named, **values}


class FixedChargeInput(schema.Request):
    """One fixed charge of a plan. `id` names an existing one on update."""

    id: schema.OptionalName = None
    add_on_id: schema.OptionalName = None
    add_on_code: schema.OptionalName = None
    code: schema.OptionalName = None
    charge_model: schema.one_of(*FIXED_CHARGE_MODELS)  # type: ignore[valid-type]
    properties: Annotated[dict[str, Any], BeforeValidator(_mapping)] = {}
    units: Annotated[str, BeforeValidator(_units)] = "0"
    apply_units_immediately: schema.Boolean = False
    pay_in_advance: schema.Boolean = False
    prorated: schema.Boolean = False
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.Codes = []

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        return _without_null(values, "pay_in_advance", "prorated", "apply_units_immediately")


class CommitmentInput(schema.Request):
    """The minimum commitment of a plan. `amount_cents` 0 means none."""

    amount_cents: schema.Cents
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.Codes = []


class PlanInput(schema.Request):
    """The body of create and update; on update what is absent is filled from the plan before."""

    name: schema.Name
    code: schema.Code
    interval: schema.one_of(*INTERVALS)  # type: ignore[valid-type]
    amount_cents: schema.Cents
    amount_currency: schema.Currency
    invoice_display_name: schema.OptionalName = None
    description: schema.OptionalText = None
    pay_in_advance: schema.Boolean = False
    bill_charges_monthly: schema.OptionalBoolean = None
    bill_fixed_charges_monthly: schema.OptionalBoolean = None
    trial_period: Annotated[str, BeforeValidator(_trial)] = "0"
    tax_codes: schema.Codes = []
    charges: Annotated[list[dict[str, Any]], BeforeValidator(_list_of_mappings)] = []
    metadata: Annotated[dict[str, str | None], BeforeValidator(_metadata)] = {}
    minimum_commitment: Annotated[dict[str, Any] | None, BeforeValidator(_mapping_or_none)] = None
    fixed_charges: Annotated[list[dict[str, Any]], BeforeValidator(_list_of_mappings)] = []
    usage_thresholds: NotYet = None
    cascade_updates: schema.OptionalBoolean = None

    @model_validator(mode="before")
    @classmethod
    def _report_missing(cls, values: Any) -> Any:
        # What is missing is reported with the code of what is wrong.
        return {"interval": None, "amount_currency": None, **values} if isinstance(values, Mapping) else values


class Cascade(schema.Request):
    """What the body of a change of a part says beside it."""

    cascade_updates: schema.OptionalBoolean = None


class MetadataInput(schema.Request):
    """Pairs of metadata alone."""

    metadata: Annotated[dict[str, str | None], BeforeValidator(_metadata)] = {}
