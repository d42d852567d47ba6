"""Creating customers under ids that were chosen before: asked twice, there is one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid
from chalicelib.features.customers import service
from chalicelib.features.customers.records import Customer
from chalicelib.features.customers.schemas import CustomerInput
from chalicelib.features.organizations import service as organizations
from chalicelib.features.taxes import service as taxes
from chalicelib.platform import agenda, schema
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit


def create(
    organization: OrganizationRef, values: Mapping[str, Any], customer_id: CustomerId, *, now: datetime
) -> tuple[Customer, list[Task]]:
    """Create a customer under an id that the caller chose; one that was created under it already stays as it is.

    Raises: Invalid, also where another customer has the external id; NotFound for an unknown tax; ChangedMeanwhile.
    """
    request = schema.parse(CustomerInput, values)
    own = organizations.get(organization.id)
    tax_ids = tuple(taxes.ids_of(organization.id, request.tax_codes))
    number = service.numbering(organization.id)

    def attempt() -> tuple[Customer, list[Task]]:
        made = service.get(organization.id, customer_id)
        if made is not None:
            return made, []
        if service.find_live(organization.id, request.external_id) is not None:
            raise Invalid.field("external_id", ErrorCode.VALUE_ALREADY_EXIST)
        blank = service.new_customer(request.external_id, now=now, customer_id=customer_id)
        filled = service.with_given(blank, request, tax_ids, now=now)
        customer, actions, tasks = service.creation(own, filled, number, now=now)
        Unit([*actions, *(agenda.put(task, now=now) for task in tasks)]).commit()
        return customer, tasks

    return retrying(attempt, Resource.CUSTOMER)
