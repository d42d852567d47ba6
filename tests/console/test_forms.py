"""Forms and the API's bodies: every field that a request may have stands in the form of the same object, and arrives."""

import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib.console import forms
from chalicelib.features.customers.schemas import CustomerInput
from chalicelib.platform.schema import Request
from tests.support.console import Visitor
from tests.support.whole_customer import EVERY_FIELD


@dataclass(frozen=True)
class ApiForm:
    """A form of a request's schema. `address`: below the organization's; `rows`: groups of rows, with the fields of a row that
    the schema does not name; `elsewhere`: fields that have a place of their own."""

    schema: type[Request]
    address: tuple[str, ...]
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


# One line for each form that posts a request's body.
FORMS = {
    "customer": ApiForm(CustomerInput, ("customers", "new"), {"metadata": ("key", "value", "display_in_invoice")}),
}


def names_of(schema: type[Request], place: str = "") -> Iterator[str]:
    """The fields of a schema, by path; those of lists of objects as `group.*.name`."""
    for name, info in schema.model_fields.items():
        path = f"{place}{name}"
        nested, is_list = nested_in(info.annotation)
        if nested is None:
            yield path
        else:
            yield from names_of(nested, f"{path}.*." if is_list else f"{path}.")


def nested_in(annotation: Any, is_list: bool = False) -> tuple[type[Request] | None, bool]:
    """The schema inside of an annotation, and whether there is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Request):
        return annotation, is_list
    origin = typing.get_origin(annotation)
    for inner in typing.get_args(annotation):
        found, listed = nested_in(inner, is_list or origin in (list, tuple))
        if found is not None:
            return found, listed
    return None, False


def drawn(visitor: Visitor, form: ApiForm) -> set[str]:
    """The names of a form's fields, the numbers of rows as `*`."""
    posted = {f"{group}.0.{name}": "" for group, names in form.rows.items() for name in names[:1]}
    shown = visitor.post(*form.address, form={**posted, "_do": "draw"})
    assert shown.status == 200
    return {re.sub(r"\.\d+(?=\.)", ".*", name) for name in re.findall(r' name="([^"]+)"', shown.text)}


@pytest.mark.parametrize("name", sorted(FORMS))
def test_every_field_of_a_request_stands_in_its_form(visitor: Visitor, name: str):
    form = FORMS[name]
    wanted = {path for path in names_of(form.schema) if path not in form.elsewhere and path not in form.rows}
    wanted |= {f"{group}.*.{each}" for group, names in form.rows.items() for each in names}
    assert wanted - drawn(visitor, form) == set()


@pytest.mark.parametrize("name", sorted(FORMS))
def test_an_added_row_is_drawn_and_nothing_is_saved(visitor: Visitor, name: str):
    form = FORMS[name]
    for group, names in form.rows.items():
        shown = visitor.post(*form.address, form={"_do": f"add:{group}"})
        assert shown.status == 200
        assert f'name="{group}.0.{names[0]}"' in shown.text
        shown = visitor.post(*form.address, form={f"{group}.0.{names[0]}": "x", "_do": f"remove:{group}.0"})
        assert f'name="{group}.0.{names[0]}"' not in shown.text


def posted(values: dict[str, Any], place: str = "") -> dict[str, Any]:
    """A body as its form posts it."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= posted(value, f"{place}{name}.")
        elif isinstance(value, list):
            found[f"{place}{name}"] = ["", *value]
        else:
            found[f"{place}{name}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def test_every_field_of_a_customer_arrives_and_is_shown_again(visitor: Visitor):
    visitor.story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    assert set(EVERY_FIELD) | {"external_id", "tax_codes", "metadata"} == set(CustomerInput.model_fields)
    form = {**posted(EVERY_FIELD), "external_id": "cobalt", "tax_codes": ["", "vat"], "request_id": "once"}
    form |= {"metadata.0.key": "segment", "metadata.0.value": "SMB", "metadata.0.display_in_invoice": ["false", "true"]}
    made = visitor.post("customers", "new", form=form)
    assert made.status == 303, made.words
    customer = visitor.story.ok("GET", "/customers/cobalt")["customer"]
    nested = {name: dict(customer[name]) for name in ("shipping_address", "billing_configuration")}
    assert {**{name: customer[name] for name in EVERY_FIELD}, **nested} == EVERY_FIELD
    assert [tax["code"] for tax in customer["taxes"]] == ["vat"]
    assert [(each["key"], each["value"], each["display_in_invoice"]) for each in customer["metadata"]] == [
        ("segment", "SMB", True)
    ]
    again = visitor.get("customers", customer["lago_id"], "edit").fields
    for name, value in posted(EVERY_FIELD).items():
        shown = [each for each in again[name] if each]
        assert (shown[-1] if isinstance(value, str) else shown) == (value if isinstance(value, str) else value[1:]), (
            name
        )


def test_what_is_emptied_becomes_null(visitor: Visitor):
    lago_id = visitor.story.customer("c", **EVERY_FIELD)["lago_id"]
    form = dict.fromkeys(posted(EVERY_FIELD), "") | {
        "account_type": "customer",
        "finalize_zero_amount_invoice": "inherit",
        "currency": "EUR",
    }
    answer = visitor.post("customers", lago_id, "edit", form={**form, "metadata_shown": "1"})
    assert answer.status == 303, answer.words
    customer = visitor.story.ok("GET", "/customers/c")["customer"]
    assert [customer[name] for name in ("name", "email", "country", "timezone", "net_payment_term")] == [None] * 5
    assert set(customer["shipping_address"].values()) == {None}
    assert customer["billing_configuration"]["invoice_grace_period"] is None
    assert customer["billing_configuration"]["payment_provider"] is None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("external_id", "", "value_is_mandatory"),
        ("name", "x" * 256, "value_is_too_long"),
        ("email", "nobody", "invalid_email_format"),
        ("country", "XX", "not_a_valid_country_code"),
        ("currency", "XXX", "value_is_invalid"),
        ("timezone", "Moon", "invalid_timezone"),
        ("net_payment_term", "-1", "value_is_out_of_range"),
        ("net_payment_term", "soon", "value_is_invalid"),
        ("finalize_zero_amount_invoice", "never", "invalid_value"),
        ("billing_configuration.invoice_grace_period", "-1", "value_is_out_of_range"),
        ("billing_configuration.document_locale", "xx", "not_a_valid_language_code"),
        ("billing_configuration.payment_provider", "cash", "value_is_invalid"),
        ("billing_configuration.provider_payment_methods", "link", "value_is_invalid"),
    ],
)
def test_each_refusal_is_told_at_its_field_with_its_code(visitor: Visitor, name: str, value: str, code: str):
    refused = visitor.post("customers", "new", form={"external_id": "c", "name": "Kept", name: value})
    assert refused.status == 422
    error = re.search(rf'id="f-{re.escape(name)}-error".*?</div>', refused.text, re.DOTALL)
    assert error is not None
    assert f"<code>{code}</code>" in error[0]
    if name != "name":
        assert refused.fields["name"] == ["Kept"]
    assert visitor.story.ok("GET", "/customers")["meta"]["total_count"] == 0


@pytest.mark.parametrize(
    ("values", "body"),
    [
        ({"a": ["1"], "b.0.c": ["2"], "b.1.c": ["3"]}, {"a": "1", "b": [{"c": "2"}, {"c": "3"}]}),
        ({"a": ["1"], "a.b": ["2"]}, {"a": "1"}),
        ({"a.b": ["2"], "a": ["1"]}, {"a": {"b": "2"}}),
        ({"a.b": ["1"], "a.b.c.d": ["2"]}, {"a": {"b": "1"}}),
        ({"": ["1"], ".": ["2"]}, {"": "1"}),
        ({}, {}),
    ],
)
def test_names_of_fields_are_paths_and_forged_ones_do_no_harm(values, body):
    assert forms.nested(values) == body
