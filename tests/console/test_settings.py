"""Settings: each field of the API has one in the forms, and what is saved is what the API shows."""

import base64
import io

import pytest
from PIL import Image

from chalicelib.features.organizations.billing_entities import BillingEntityUpdate
from chalicelib.features.organizations.schemas import BillingConfigurationInput, OrganizationUpdate
from chalicelib.platform import counters
from tests.support import capacity
from tests.support.console import Visitor

TABS = {"organization": (), "invoicing": ("invoicing",)}


def fields(visitor: Visitor, tab: str) -> dict[str, list[str]]:
    """What the form of a tab would post."""
    return visitor.get("settings", *TABS[tab]).fields


def saved(visitor: Visitor, tab: str, **changes: object) -> None:
    """Post the form of a tab with some fields changed."""
    form = {**fields(visitor, tab), **changes}
    answer = visitor.post("settings", *TABS[tab], form=form)
    assert answer.status == 303, answer.words


def organization(visitor: Visitor) -> dict[str, object]:
    found: dict[str, object] = visitor.story.ok("GET", "/organizations")["organization"]
    return found


def test_every_field_of_the_api_is_in_a_form(visitor: Visitor):
    visitor.story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    shown = {name for tab in TABS for name in fields(visitor, tab)}
    own = {f"billing_configuration.{name}" for name in BillingConfigurationInput.model_fields}
    wanted = set(OrganizationUpdate.model_fields) | set(BillingEntityUpdate.model_fields) | own
    assert wanted - {"billing_configuration"} - shown == set()


@pytest.mark.parametrize("tab", TABS)
def test_saving_what_is_shown_changes_nothing(visitor: Visitor, tab):
    before = organization(visitor)
    saved(visitor, tab)
    assert organization(visitor) == before


@pytest.mark.parametrize(
    ("tab", "name", "value", "expected"),
    [
        ("organization", "name", "Northwind", "Northwind"),
        ("organization", "email", "a@example.com, b@example.com", "a@example.com, b@example.com"),
        ("organization", "legal_name", "Northwind Ltd", "Northwind Ltd"),
        ("organization", "legal_number", "12", "12"),
        ("organization", "tax_identification_number", "DE1", "DE1"),
        ("organization", "address_line1", "Street 1", "Street 1"),
        ("organization", "address_line2", "c/o", "c/o"),
        ("organization", "zipcode", "75001", "75001"),
        ("organization", "city", "Paris", "Paris"),
        ("organization", "state", "IDF", "IDF"),
        ("organization", "country", "FR", "FR"),
        ("organization", "default_currency", "EUR", "EUR"),
        ("organization", "timezone", "Europe/Paris", "Europe/Paris"),
        ("organization", "webhook_url", "https://example.com/hook", "https://example.com/hook"),
        ("invoicing", "net_payment_term", "30", 30),
        ("invoicing", "document_numbering", "per_organization", "per_organization"),
        ("invoicing", "document_number_prefix", "NOR", "NOR"),
        ("invoicing", "email_settings", ["", "invoice.finalized"], ["invoice.finalized"]),
        ("invoicing", "finalize_zero_amount_invoice", ["false"], False),
        ("invoicing", "billing_configuration.invoice_grace_period", "3", 3),
        ("invoicing", "billing_configuration.document_locale", "fr", "fr"),
        ("invoicing", "billing_configuration.invoice_footer", "Thank you", "Thank you"),
        ("invoicing", "billing_configuration.coupon_application", "before_tax", "before_tax"),
        ("invoicing", "billing_configuration.vat_rate", "19.5", 19.5),
    ],
)
def test_a_setting_changes_what_the_api_answers(visitor: Visitor, tab, name, value, expected):
    saved(visitor, tab, **{name: value})
    found = organization(visitor)
    for part in name.split("."):
        found = found[part]  # type: ignore[assignment]
    assert found == expected
    posted = value if isinstance(value, list) else [value]
    assert fields(visitor, tab)[name][-1] == posted[-1]


def test_taxes_and_european_vat_are_of_the_entity(visitor: Visitor):
    visitor.story.ok("POST", "/taxes", {"tax": {"name": "VAT", "code": "vat", "rate": 20}})
    saved(visitor, "invoicing", tax_codes=["", "vat"])
    entity = visitor.story.ok("GET", "/billing_entities/default")["billing_entity"]
    assert [tax["code"] for tax in entity["taxes"]] == ["vat"]
    saved(visitor, "organization", country="FR")
    saved(visitor, "invoicing", eu_tax_management=["false", "true"])
    assert visitor.story.ok("GET", "/billing_entities/default")["billing_entity"]["eu_tax_management"] is True


def test_refusals_stand_at_the_fields(visitor: Visitor):
    form = {**fields(visitor, "organization"), "name": "", "timezone": "Mars/One", "email": "none"}
    answer = visitor.post("settings", form=form)
    assert answer.status == 422
    for name in ("name", "timezone", "email"):
        assert f'id="f-{name}-error"' in answer.text
    form = {**fields(visitor, "invoicing"), "billing_configuration.invoice_grace_period": "x"}
    answer = visitor.post("settings", "invoicing", form=form)
    assert 'id="f-billing_configuration.invoice_grace_period-error"' in answer.text
    form = {**fields(visitor, "invoicing"), "eu_tax_management": ["false", "true"]}
    assert "billing_entity_must_be_in_eu" in visitor.post("settings", "invoicing", form=form).words


def test_a_logo_is_shown_and_removed(visitor: Visitor):
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    saved(visitor, "organization", logo=address)
    assert f'src="{address}"' in visitor.get("settings").text.replace("&#43;", "+")
    saved(visitor, "organization")
    assert "The present logo" in visitor.get("settings").text
    saved(visitor, "organization", remove_logo=["false", "true"])
    assert "The present logo" not in visitor.get("settings").text
    form = {**fields(visitor, "organization"), "logo": "data:image/png;base64,AAAA"}
    assert visitor.post("settings", form=form).status == 422


def test_the_grace_period_says_which_drafts_would_end(visitor: Visitor):
    story = visitor.story
    story.organization(billing_configuration={"invoice_grace_period": 10})
    story.plan(amount_cents=1000)
    for n in range(3):
        own = {"billing_configuration": {"invoice_grace_period": 10}} if n == 2 else {}
        story.customer(f"c{n}", currency="EUR", **own)
        story.subscribe(external_id=f"s{n}", customer=f"c{n}")
    story.travel("2024-02-05T00:00:00Z")
    visitor.headers |= {"HX-Request": "true", "HX-Target": "div#grace-preview"}
    name = "billing_configuration.invoice_grace_period"
    assert "2 drafts would become final now." in visitor.get("settings", "invoicing", **{name: "3"}).words
    assert "No draft would become final now." in visitor.get("settings", "invoicing", **{name: "9"}).words
    story.organization(billing_configuration={"invoice_grace_period": 3})
    assert [each["status"] for each in story.invoices()].count("finalized") == 2


def test_about_says_what_leaves(visitor: Visitor):
    words = visitor.get("settings", "about").words
    assert "No usage tracking leaves this installation." in words
    assert visitor.get("settings", "nothing").status == 404


@pytest.mark.parametrize("tab", [(), ("invoicing",), ("about",), ("members",)])
def test_settings_cost_few_requests(visitor: Visitor, tab):
    visitor.story.customer()
    with capacity.counting() as meter:
        assert visitor.get("settings", *tab).status == 200
    assert meter.total <= 8, meter.requests


def test_customers_without_a_zone_of_their_own_are_counted(visitor: Visitor):
    said = "The customers without a zone of their own: {}."
    story = visitor.story
    assert said.format(0) in visitor.get("settings").words
    for number, zone in enumerate([None, "Asia/Tokyo", None]):
        story.customer(f"c{number}", timezone=zone)
    assert said.format(2) in visitor.get("settings").words
    for _ in range(2):
        story.customer("c0", timezone="Asia/Tokyo", name="Moved")
        assert said.format(1) in visitor.get("settings").words
    story.customer("c1", timezone=None)
    assert said.format(2) in visitor.get("settings").words
    story.ok("DELETE", "/customers/c2")
    assert said.format(1) in visitor.get("settings").words


def test_nothing_is_said_of_customers_from_before_they_were_counted(visitor: Visitor):
    for write in counters.moved(visitor.story.ref.id, "customer", "old", {"all": 1}):
        write.alone()
    visitor.story.customer("new")
    assert "for all customers without a zone of their own." in visitor.get("settings").words
