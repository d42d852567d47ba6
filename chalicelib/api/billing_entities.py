"""`/billing_entities`: the organization's one legal entity."""

from typing import Any

from chalicelib.features.customers import organization_settings
from chalicelib.features.organizations import billing_entities, service
from chalicelib.features.organizations.records import Organization
from chalicelib.features.sandbox import service as test_clock
from chalicelib.features.taxes import eu_vat
from chalicelib.features.taxes import service as taxes
from chalicelib.platform.http import Call, Routes
from chalicelib.platform.schema import parse

routes = Routes(__name__)


@routes.get("/billing_entities")
def index(call: Call) -> dict[str, Any]:
    """All of them: one."""
    return {"billing_entities": [_shown(service.get(call.organization.id))]}


@routes.get("/billing_entities/{code}")
def show(call: Call) -> dict[str, Any]:
    """The one."""
    billing_entities.check_code(call.path["code"])
    return {"billing_entity": _shown(service.get(call.organization.id))}


@routes.put("/billing_entities/{code}")
def update(call: Call) -> dict[str, Any]:
    """Change settings. The taxes of European VAT are there before it is managed."""
    billing_entities.check_code(call.path["code"])
    request = parse(billing_entities.BillingEntityUpdate, call.root("billing_entity"))
    billing_entities.check(service.get(call.organization.id), request)
    organization = organization_settings.update(
        call.organization.id,
        request,
        now=call.now,
        tax_codes=request.tax_codes if "tax_codes" in request.model_fields_set else None,
        prepare=lambda: eu_vat.make_missing(call.organization.id, now=call.now) if request.eu_tax_management else None,
    )
    test_clock.run_due(call.organization, now=call.now)
    return {"billing_entity": _shown(organization)}


def _shown(organization: Organization) -> dict[str, Any]:
    applied = [taxes.show(tax) for tax in taxes.of_organization(organization.id)]
    return billing_entities.show(organization, taxes=applied)
