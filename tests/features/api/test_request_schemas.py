"""`model_json_schema()` of every request: it says what each field takes, and what it says is what is taken."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from chalicelib.api import test_clock
from chalicelib.domain.error_codes import ErrorCode
from chalicelib.features.add_ons.schemas import AddOnInput
from chalicelib.features.billable_metrics.schemas import EvaluationInput, MetricInput
from chalicelib.features.coupons import schemas as coupons
from chalicelib.features.credit_notes import schemas as credit_notes
from chalicelib.features.customers.schemas import BillingConfigurationInput as CustomerConfiguration
from chalicelib.features.customers.schemas import CustomerInput
from chalicelib.features.events.schemas import EstimateInput, EventInput
from chalicelib.features.invoicing import schemas as invoicing
from chalicelib.features.members.emails import EmailInput
from chalicelib.features.organizations.api_keys import NameInput
from chalicelib.features.organizations.billing_entities import BillingEntityUpdate
from chalicelib.features.organizations.schemas import BillingConfigurationInput, OrganizationCreate, OrganizationUpdate
from chalicelib.features.payments.connections.schemas import ConnectionInput, OptionsInput
from chalicelib.features.payments.requests.service import PaymentRequestInput
from chalicelib.features.payments.schemas import PaymentInput
from chalicelib.features.plans import schemas as plans
from chalicelib.features.subscriptions import schemas as subscriptions
from chalicelib.features.taxes.service import TaxCreate, TaxUpdate
from chalicelib.features.wallets import schemas as wallets
from chalicelib.features.webhooks.asking import ReplayInput
from chalicelib.features.webhooks.service import EndpointInput
from chalicelib.platform import metadata, schema
from chalicelib.platform.addresses import AddressInput
from tests.support import bodies
from tests.support.bodies import World

_WORLD: Any = World.__new__(World)
_WORLD.ids = {"gb": "1", "calls": "2", "charge": "3"}
_TAX, _EVENT = {"name": "T", "code": "t", "rate": 5}, {**bodies.event(), "timestamp": 1}
_SUBSCRIPTION = {"external_customer_id": "c", "plan_code": "p", "external_id": "e"}

# A valid body for each request; fields that are in none of them are optional.
VALID: dict[type[schema.Request], dict[str, Any]] = {
    EmailInput: {"email": "ada@example.com"},
    NameInput: {"name": "Server"},
    test_clock.ClockUpdate: {"now": "2024-01-01T00:00:00Z"},
    AddOnInput: bodies.add_on(),
    coupons.CouponInput: bodies.coupon(),
    coupons.Limitations: {},
    coupons.AppliedCouponInput: {},
    MetricInput: bodies.metric(),
    EvaluationInput: {"expression": "1", "event": {"code": "c", "timestamp": 1}},
    credit_notes.CreditNoteUpdate: {},
    credit_notes.CreditNoteInput: {"items": []},
    credit_notes.EstimateInput: {"items": []},
    credit_notes.ItemInput: {},
    credit_notes.CreditNoteMetadata: {"metadata": {}},
    PaymentInput: {"invoice_id": "i", "amount_cents": 1},
    PaymentRequestInput: {"external_customer_id": "c", "lago_invoice_ids": ["i"]},
    OptionsInput: {},
    ConnectionInput: {"code": "main", "payment_provider": "stripe"},
    CustomerInput: bodies.customer(),
    CustomerConfiguration: {},
    AddressInput: {},
    EventInput: _EVENT,
    EstimateInput: _EVENT,
    OrganizationCreate: {"name": "n"},
    OrganizationUpdate: bodies.organization(),
    BillingEntityUpdate: bodies.organization(),
    BillingConfigurationInput: {},
    plans.PlanInput: bodies.plan(_WORLD, "p"),
    plans.ChargeInput: bodies.charge(_WORLD),
    plans.ChargeFilterInput: {"values": {"cloud": ["aws"]}},
    plans.FixedChargeInput: bodies.fixed_charge(),
    plans.CommitmentInput: {"amount_cents": 1},
    plans.Cascade: {},
    plans.MetadataInput: {},
    subscriptions.SubscriptionInput: _SUBSCRIPTION,
    subscriptions.SubscriptionUpdate: {},
    subscriptions.Termination: {},
    subscriptions.Which: {},
    subscriptions.LifetimeUsageUpdate: {"external_historical_usage_amount_cents": 1},
    invoicing.OneOffInput: {"external_customer_id": "c"},
    invoicing.FeeInput: {"add_on_code": "a", "from_datetime": "2024-01-01", "to_datetime": "2030-01-01"},
    invoicing.VoidInput: {},
    invoicing.PreviewInput: {},
    invoicing.CustomerInput: {},
    invoicing.CouponInput: {"code": "c", "coupon_type": "percentage"},
    invoicing.SubscriptionsInput: {},
    TaxCreate: _TAX,
    TaxUpdate: _TAX,
    EndpointInput: {"webhook_url": "http://127.0.0.1/h"},
    ReplayInput: {},
    wallets.WalletInput: bodies.wallet(),
    wallets.WalletUpdate: bodies.wallet_change(),
    wallets.RuleInput: {"trigger": "threshold", "threshold_credits": "10", "paid_credits": "5"},
    wallets.AppliesTo: {},
    wallets.PairInput: {"key": "k", "value": "v"},
    wallets.TopUpInput: {},
    metadata.Pair: {"key": "k", "value": "v"},
    metadata.CustomerPair: {"key": "k", "value": "v"},
}
_BASES = {"DimensionsInput", "SampleEvent"}  # Fields of `MetricInput` and `EvaluationInput`.

# Lengths and words that only some of all texts within the bounds satisfy.
_ALSO_OF_A_FORM = {"webhook_url"}


def _models(base: type[schema.Request] = schema.Request) -> Iterator[type[schema.Request]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


@cache
def _fields(model: type[schema.Request]) -> dict[str, list[dict[str, Any]]]:
    """The alternatives that the JSON schema gives for each field, references followed."""
    whole = model.model_json_schema()
    definitions = whole.get("$defs", {})

    def alternatives(said: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in said:
            return alternatives(definitions[said["$ref"].rpartition("/")[2]])
        return [each for one in said["anyOf"] for each in alternatives(one)] if "anyOf" in said else [said]

    return {name: alternatives(said) for name, said in whole["properties"].items()}


FIELDS = [(model, name) for model in VALID for name in model.model_fields]
_NAMES = [f"{model.__module__.split('.')[-2]}.{model.__name__}.{name}" for model, name in FIELDS]


def test_every_request_is_looked_at():
    named = {model for model in _models() if model.__module__.startswith("chalicelib") and model.__name__ not in _BASES}
    assert named == set(VALID)
    assert all(schema.examine(model, body)[0] is not None for model, body in VALID.items())


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=_NAMES)
def test_every_field_says_what_it_takes(model, name):
    for said in _fields(model)[name]:
        assert {"type", "enum", "const"} & said.keys(), said
        if said.get("type") == "integer":
            assert {"minimum", "maximum"} <= said.keys(), said


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=_NAMES)
def test_bounds_that_are_said_are_the_bounds(model, name):
    for value, code in (trial for said in _fields(model)[name] for trial in _trials(said)):
        _, findings = schema.examine(model, VALID[model] | {name: value})
        if code is None and name not in _ALSO_OF_A_FORM:
            assert not findings, (value, findings)
        elif code is not None:
            assert name in findings, value
            assert all(found in set(ErrorCode) for found in findings[name])


def _trials(said: dict[str, Any]) -> Iterator[tuple[Any, str | None]]:
    """Values at the bounds, with None, and just beyond them, with what is wrong."""
    for bound, step in (("maxLength", 1), ("minLength", -1)):
        if bound in said:
            yield "x" * said[bound], None
            yield "x" * (said[bound] + step), f"beyond {bound}"
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in said:
            yield int(said[bound]), None
            yield int(said[bound]) + step, f"beyond the {bound}"
    if "exclusiveMaximum" in said:
        yield said["exclusiveMaximum"], "beyond the maximum"
    words = said.get("enum", [said["const"]] if "const" in said else [])
    yield from ((word, None) for word in words)
    yield from ((f"{word}?", "another word") for word in words[:1])
    pattern = said.get("pattern", "")
    kind = ("email" if "(" in pattern else "one email") if "@" in pattern else ""
    yield from _OF_A_FORM.get(said.get("format", kind), [])
    yield from _OF_ANOTHER_TYPE.get(said["type"], [])


_OF_A_FORM: dict[str, list[tuple[Any, str | None]]] = {
    "date-time": [("2024-02-29T00:00:00Z", None), ("2024-02-30T00:00:00Z", "no date")],
    "uri": [("http://127.0.0.1:9/h", None), ("ftp://example.com", "no http(s) address")],
    "one email": [("a@example.com", None), ("a@", "no address"), ("a@example.com, b@example.com", "two addresses")],
    "email": [("a@example.com, b@example.com", None), ("a@", "no address"), ("a@example.com,", "no address")],
}
_OF_ANOTHER_TYPE: dict[str, list[tuple[Any, str | None]]] = {
    "string": [({}, "no text")],
    "boolean": [(True, None), ("true", "no switch")],
    "integer": [("1.5", "no integer")],
    "number": [([], "no number")],
    "array": [({"a": 1}, "no list")],
    "object": [([1], "no object")],
}


def test_codes_stand_for_kinds_of_findings():
    """Each row of the table is met by some field."""
    met = {
        "missing": schema.examine(TaxCreate, {"rate": 1})[1]["name"],
        "string_too_short": schema.examine(OrganizationUpdate, {"name": ""})[1]["name"],
        "string_too_long": schema.examine(TaxCreate, _TAX | {"name": "x" * 256})[1]["name"],
        "greater_than_equal": schema.examine(TaxCreate, _TAX | {"rate": -1})[1]["rate"],
        "less_than_equal": schema.examine(TaxCreate, _TAX | {"rate": 101})[1]["rate"],
    }
    assert met == {kind: [code] for kind, code in schema.CODES.items()}


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        pytest.param(TaxCreate, "name", {}, id="string_type"),
        pytest.param(TaxCreate, "rate", "abc", id="decimal"),
        pytest.param(TaxCreate, "applied_to_organization", 1, id="bool_type"),
        pytest.param(plans.CommitmentInput, "amount_cents", 1.5, id="int_type"),
        pytest.param(plans.PlanInput, "interval", "daily", id="enum"),
        pytest.param(plans.FixedChargeInput, "charge_model", "package", id="literal_error"),
        pytest.param(plans.PlanInput, "charges", "x", id="list_type"),
        pytest.param(plans.PlanInput, "minimum_commitment", [], id="dict_type"),
        pytest.param(CustomerInput, "shipping_address", 1, id="model_type"),
    ],
)
def test_all_other_kinds_are_invalid_values(model, name, value):
    assert schema.examine(model, VALID[model] | {name: value})[1] == {name: [ErrorCode.VALUE_IS_INVALID]}


_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_KEPT_CONTROLS = [ord("\t"), ord("\n")]
# Looked up only, or with codes of their own; what events say is kept whole (decision 20).
_ANY_TEXT = {(organization, "logo") for organization in (OrganizationUpdate, BillingEntityUpdate)} | {
    (credit_notes.ItemInput, "fee_id"),
    (credit_notes.EstimateInput, "invoice_id"),
    (credit_notes.CreditNoteInput, "invoice_id"),
    (wallets.WalletInput, "external_customer_id"),
    (wallets.TopUpInput, "wallet_id"),
    (wallets.RuleInput, "lago_id"),
    (EvaluationInput, "expression"),
    *((event, name) for event in (EventInput, EstimateInput) for name in event.model_fields),
}
_TEXTS = [
    pytest.param(model, name, id=label)
    for (model, name), label in zip(FIELDS, _NAMES, strict=True)
    if any(
        said.get("type") == "string" and "format" not in said and "enum" not in said for said in _fields(model)[name]
    )
    and (model, name) not in _ANY_TEXT
]


@pytest.mark.parametrize(("model", "name"), _TEXTS)
def test_no_text_that_is_kept_has_control_characters(model, name):
    for number in _CONTROLS:
        _, findings = schema.examine(model, VALID[model] | {name: f"a{chr(number)}b"})
        if number not in _KEPT_CONTROLS:
            assert findings.get(name), hex(number)


@pytest.mark.parametrize("name", ["name", "code", "description"])
@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param("a\x00b", [ErrorCode.VALUE_IS_INVALID], id="NUL"),
        pytest.param("\x1b[1mb", [ErrorCode.VALUE_IS_INVALID], id="an escape sequence"),
        pytest.param("a\x7f", [ErrorCode.VALUE_IS_INVALID], id="DEL"),
        pytest.param("a\x85b", [ErrorCode.VALUE_IS_INVALID], id="C1"),
        pytest.param("a\x9f\n", [ErrorCode.VALUE_IS_INVALID], id="the last of C1"),
        pytest.param("a\rb", [ErrorCode.VALUE_IS_INVALID], id="a carriage return alone"),
        pytest.param("a\nb\tc", None, id="newline and tab"),
        pytest.param("a\r\nb\r\n", None, id="newlines of forms"),
        pytest.param("\xa0\u2028\u202e\ufffe\U0010ffff", None, id="no control characters"),
    ],
)
def test_control_characters_are_no_text(name, text, codes):
    assert schema.examine(TaxCreate, _TAX | {name: text})[1] == ({name: codes} if codes else {})


@pytest.mark.parametrize(
    ("model", "body", "field", "code"),
    [
        pytest.param(CustomerInput, {"email": "a\x00@b.com"}, "email", ErrorCode.INVALID_EMAIL_FORMAT, id="an e-mail"),
        pytest.param(EmailInput, {"email": "a@b.c\x7fm"}, "email", ErrorCode.INVALID_EMAIL_FORMAT, id="a member's"),
        pytest.param(
            OrganizationUpdate,
            {"webhook_url": "http://a.b/\x01"},
            "webhook_url",
            ErrorCode.URL_IS_INVALID,
            id="an address",
        ),
        pytest.param(plans.MetadataInput, {"metadata": {"a\x00": "b"}}, "key", ErrorCode.VALUE_IS_INVALID, id="a key"),
        pytest.param(
            credit_notes.CreditNoteMetadata,
            {"metadata": {"a": "\x00"}},
            "value",
            ErrorCode.VALUE_IS_INVALID,
            id="a value",
        ),
    ],
)
def test_control_characters_are_named_by_the_code_of_their_field(model, body, field, code):
    assert schema.examine(model, VALID[model] | body)[1] == {field: [code]}


def test_countries_are_those_of_iso_3166():
    """249 are official; none of them is reserved, private or a region."""
    assert len(schema.countries()) == 249
    assert {"FR", "SS", "BQ"} <= schema.countries()
    assert not {"EU", "XK", "UK", "ZZ", "AN"} & schema.countries()
