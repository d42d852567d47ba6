"""Request schemas of plans. Source: rules/catalog 2, 3; rules/usage 5."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from chalicelib import limits
from chalicelib.domain.charges.models import ChargeModel
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.intervals import Interval
from chalicelib.features.plans.records import FixedChargeModel
from chalicelib.platform import schema


def _trial(value: Any) -> str:
    if value is None:
        return "0"
    days = schema.exact(value)
    if not 0 <= days <= Decimal(36500):
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return format(days.normalize(), "f")


def _units(value: Any) -> str:
    if value is None:
        return "0"
    units = schema.exact(value)
    plain = units.normalize()
    exponent = plain.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -limits.QUANTITY_DIGITS_AFTER:
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    if plain < 0 or plain >= Decimal(10) ** limits.UNITS_DIGITS_BEFORE:
        raise schema.refuse(ErrorCode.VALUE_IS_OUT_OF_RANGE)
    return format(plain, "f") if plain else "0"


def _without_null(values: Any, *switches: str) -> Any:
    """Null switches are the defaults; a missing model is no valid one."""
    if not isinstance(values, Mapping):
        return values
    kept = {name: value for name, value in values.items() if not (name in switches and value is None)}
    return {"charge_model": None, **kept}


def _filter_values(value: Any) -> dict[str, tuple[str, ...]]:
    """Keys with the values that each may have, each once."""
    if value is None or value == {}:
        raise schema.refuse(ErrorCode.VALUE_IS_MANDATORY)
    if not isinstance(value, Mapping):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    for listed in value.values():
        if listed is None or listed == []:
            raise schema.refuse(ErrorCode.VALUE_IS_MANDATORY)
        if not isinstance(listed, list | tuple) or not all(isinstance(entry, str) for entry in listed):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    return {str(name): tuple(dict.fromkeys(listed)) for name, listed in value.items()}


def _nothing_yet(value: Any) -> None:
    """Parts of a plan that are not billed yet: an empty one is fine, any other is refused rather than not billed."""
    if value:
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)


def _metadata(value: Any) -> dict[str, str | None]:
    if value is not None and not isinstance(value, Mapping):
        raise schema.refuse(ErrorCode.VALUE_IS_INVALID)
    pairs = dict(value or {})
    if len(pairs) > 50:
        raise schema.refuse(ErrorCode.INVALID_COUNT, "metadata")
    for name, text in pairs.items():
        if len(name) > 100:
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "key")
        if not schema.is_printed(name):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "key")
        if text is not None and (not isinstance(text, str) or len(text) > 255):
            raise schema.refuse(ErrorCode.VALUE_IS_TOO_LONG, "value")
        if text is not None and not schema.is_printed(text):
            raise schema.refuse(ErrorCode.VALUE_IS_INVALID, "value")
    return pairs


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=100)], Annotated[str, Field(max_length=255)] | None],
    Field(max_length=50),
    BeforeValidator(_metadata),
]
NotYet = Annotated[None, BeforeValidator(_nothing_yet)]


class ChargeInput(schema.Request):
    """One charge of a plan. `id` names an existing one on update."""

    id: schema.OptionalName = None
    billable_metric_id: schema.OptionalName = None
    code: schema.OptionalName = None
    charge_model: ChargeModel
    properties: schema.Object = {}
    filters: schema.ListOf[dict[str, Any]] = []
    group_properties: schema.ListOf[dict[str, Any]] = []
    pay_in_advance: schema.Boolean = False
    invoiceable: schema.Boolean = True
    regroup_paid_fees: Literal["invoice"] | None = None
    prorated: schema.Boolean = False
    min_amount_cents: schema.Count | None = None
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.ListOf[schema.Text] = []

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        return _without_null(values, "pay_in_advance", "invoiceable", "prorated")


class ChargeFilterInput(schema.Request):
    """One filter of a charge; its properties and values are checked against the charge's model and metric. `id`, which
    the API shows as `lago_id`, names an existing one."""

    id: schema.OptionalName = None
    invoice_display_name: schema.OptionalName = None
    properties: schema.Object = {}
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
    charge_model: FixedChargeModel
    properties: schema.Object = {}
    units: Annotated[
        str, BeforeValidator(_units), schema.number(minimum=0, exclusiveMaximum=10**limits.UNITS_DIGITS_BEFORE)
    ] = "0"
    apply_units_immediately: schema.Boolean = False
    pay_in_advance: schema.Boolean = False
    prorated: schema.Boolean = False
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.ListOf[schema.Text] = []

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        return _without_null(values, "pay_in_advance", "prorated", "apply_units_immediately")


class CommitmentInput(schema.Request):
    """The minimum commitment of a plan. `amount_cents` 0 means none."""

    amount_cents: schema.Cents
    invoice_display_name: schema.OptionalName = None
    tax_codes: schema.ListOf[schema.Text] = []


class PlanInput(schema.Request):
    """The body of create and update; on update what is absent is filled from the plan before."""

    name: schema.Name
    code: schema.Name
    interval: Interval
    amount_cents: schema.Cents
    amount_currency: schema.Currency
    invoice_display_name: schema.OptionalName = None
    description: schema.OptionalText = None
    pay_in_advance: schema.Boolean = False
    bill_charges_monthly: schema.Boolean | None = None
    bill_fixed_charges_monthly: schema.Boolean | None = None
    trial_period: Annotated[str, BeforeValidator(_trial), schema.number(minimum=0, maximum=36500)] = "0"
    tax_codes: schema.ListOf[schema.Text] = []
    charges: schema.ListOf[dict[str, Any]] = []
    metadata: Metadata = {}
    minimum_commitment: dict[str, Any] | None = None
    fixed_charges: schema.ListOf[dict[str, Any]] = []
    usage_thresholds: NotYet = None
    cascade_updates: schema.Boolean | None = None

    @model_validator(mode="before")
    @classmethod
    def _report_missing(cls, values: Any) -> Any:
        # Missing fields are reported with the code of wrong ones.
        return {"interval": None, "amount_currency": None, **values} if isinstance(values, Mapping) else values


class Cascade(schema.Request):
    """Additional member of the body of a part's change."""

    cascade_updates: schema.Boolean | None = None


class MetadataInput(schema.Request):
    """Pairs of metadata alone."""

    metadata: Metadata = {}
