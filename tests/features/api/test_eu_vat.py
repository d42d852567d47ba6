"""European VAT by country. Source: rules/invoices 4.3."""

import pytest

from chalicelib.domain.invoicing import eu_vat as rules
from chalicelib.features.taxes import eu_vat
from tests.support.story import Story


@pytest.fixture
def french(story: Story) -> Story:
    entity = {"billing_entity": {"country": "FR", "eu_tax_management": True}}
    shown = story.ok("PUT", "/billing_entities/default", entity)["billing_entity"]
    assert (shown["code"], shown["country"], shown["eu_tax_management"]) == ("default", "FR", True)
    return story


def codes(story: Story, external_id: str = "cust", **fields) -> list[str]:
    """The taxes of a customer after a request with these fields."""
    return [tax["code"] for tax in story.customer(external_id, **fields)["taxes"]]


def test_the_taxes_are_made_once(french):
    found = french.ok("GET", "/taxes?per_page=1000")["taxes"]
    rates = {tax["code"]: tax["rate"] for tax in found}
    assert len(rates) == len(found) == len(list(rules.all_taxes()))
    assert (rates["lago_eu_fr_standard"], rates["lago_eu_de_standard"], rates["lago_eu_tax_exempt"]) == (20, 19, 0)
    french.ok("PUT", "/billing_entities/default", {"billing_entity": {"eu_tax_management": True}})
    assert french.ok("GET", "/taxes")["meta"]["total_count"] == len(found)
    assert french.ok("GET", "/billing_entities")["billing_entities"][0]["eu_tax_management"]


def test_a_customer_gets_the_tax_of_its_country(french):
    french.ok("POST", "/taxes", {"tax": {"name": "Own", "code": "own", "rate": 1}})
    assert codes(french) == ["lago_eu_fr_standard"]
    assert codes(french, country="DE") == ["lago_eu_de_standard"]
    assert codes(french, name="Renamed") == ["lago_eu_de_standard"]
    assert codes(french, country="US", tax_codes=["own"]) == ["own", "lago_eu_tax_exempt"]
    assert codes(french, tax_codes=["own"]) == ["own"]  # Any other request replaces the set ...
    assert codes(french, name="Again") == ["lago_eu_tax_exempt"]  # ... and the next change brings the tax back.
    assert codes(french, country="ES", zipcode="35001") == ["lago_eu_es_exception_canary_islands"]
    assert codes(french, "new", country="IT", tax_codes=["own"]) == ["own", "lago_eu_it_standard"]


def test_turning_it_on_changes_no_customer_by_itself(story):
    assert codes(story, country="DE") == []
    story.ok("PUT", "/billing_entities/default", {"billing_entity": {"country": "FR", "eu_tax_management": True}})
    assert story.ok("GET", "/customers/cust")["customer"]["taxes"] == []
    assert codes(story, name="Changed") == ["lago_eu_de_standard"]


def test_a_number_counts_once_it_is_known_to_be_valid(french, monkeypatch):
    number = "DE123456789"
    assert codes(french, country="DE", tax_identification_number=number) == ["lago_eu_de_standard"]
    monkeypatch.setattr(eu_vat, "check", lambda given: "valid" if given in (number, "FR1") else "invalid")
    assert codes(french, "valid", country="DE", tax_identification_number=number) == ["lago_eu_reverse_charge"]
    assert codes(french, "ours", country="FR", tax_identification_number="FR1") == ["lago_eu_fr_standard"]
    assert codes(french, "wrong", country="DE", tax_identification_number="DE1") == ["lago_eu_de_standard"]


def test_it_is_managed_from_a_member_state(story):
    for country in ("US", None):
        entity = {"billing_entity": {"country": country, "eu_tax_management": True}}
        refused = story.call("PUT", "/billing_entities/default", entity)
        assert refused.body["error_details"] == {"eu_tax_management": ["billing_entity_must_be_in_eu"]}
    assert story.ok("GET", "/taxes")["taxes"] == []
    assert story.call("PUT", "/billing_entities/other", {"billing_entity": {"name": "n"}}).body["code"] == (
        "billing_entity_not_found"
    )
