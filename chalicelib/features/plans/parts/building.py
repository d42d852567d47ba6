"""Building of a plan's parts from the entries of a request: the steps that charges and fixed charges share."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from chalicelib.domain.error_codes import ErrorCode
from chalicelib.domain.errors import merge
from chalicelib.features.plans.parts import codes
from chalicelib.features.plans.records import Charge, FixedCharge, MinimumCommitment
from chalicelib.features.plans.schemas import ChargeInput, CommitmentInput, FixedChargeInput
from chalicelib.features.taxes import service as taxes
from chalicelib.platform.ids import OrganizationId, new_id

P = TypeVar("P", bound=Charge | FixedCharge)


def olds_of(raw: Sequence[Mapping[str, Any]], before: Sequence[P]) -> list[P | None]:
    """The part that each entry changes, by its `id`; None where it is a new one, as a second entry of an id is."""
    known: dict[str, P] = {part.id: part for part in before}
    return [known.pop(str(entry.get("id")), None) for entry in raw]


class CodeAllocator:
    """Selects the parts without faults, each under a code of its own.

    `findings`: the faults of the others.
    """

    def __init__(self, present: Iterable[Charge | FixedCharge | None]) -> None:
        """`present`: the parts whose codes are in use."""
        self.findings: dict[str, list[str]] = {}
        self._taken = {part.code for part in present if part is not None}

    def refuse(self, wrong: Mapping[str, list[str]]) -> None:
        """Note the faults of a part."""
        self.findings = merge(self.findings, wrong)

    def code(
        self, given: str | None, base: str, old: Charge | FixedCharge | None, wrong: Mapping[str, list[str]]
    ) -> str | None:
        """The code of a part with which nothing else is `wrong`: the given one, else the old one, else one like `base`.
        None where something is wrong, the given code included."""
        code = codes.chosen(given, base, self._taken, old.code if old else None)
        if code is None:
            wrong = merge(wrong, {"code": [ErrorCode.VALUE_ALREADY_EXIST]})
        if wrong or code is None:
            self.refuse(wrong)
            return None
        self._taken.add(code)
        return code


def common_fields(
    organization_id: OrganizationId,
    request: ChargeInput | FixedChargeInput,
    old: Charge | FixedCharge | None,
    *,
    code: str,
    properties: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """The fields that both kinds have.

    Raises: NotFound for an unknown tax.
    """
    return {
        "id": old.id if old else new_id(),
        "created_at": old.created_at if old else now,
        "parent_id": old.parent_id if old else None,
        "code": code,
        "charge_model": request.charge_model,
        "properties": properties,
        "pay_in_advance": request.pay_in_advance,
        "prorated": request.prorated,
        "invoice_display_name": request.invoice_display_name,
        "tax_ids": tax_ids(organization_id, request, old),
    }


def tax_ids(
    organization_id: OrganizationId,
    request: ChargeInput | FixedChargeInput | CommitmentInput,
    old: Charge | FixedCharge | MinimumCommitment | None,
) -> tuple[str, ...]:
    """The taxes that a request names; where it names none, those that the part has.

    Raises: NotFound.
    """
    if "tax_codes" in request.model_fields_set:
        return tuple(taxes.ids_of(organization_id, request.tax_codes))
    return old.tax_ids if old else ()
