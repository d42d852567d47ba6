"""Reading fees, and what may change of one that has no invoice. Source: rules/catalog 11.2."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Invalid, NotAllowed, NotFound
from chalicelib.features.fees import store
from chalicelib.features.fees.records import PaidDays, Stored
from chalicelib.features.invoices import reading as invoice_reading
from chalicelib.features.invoices import serializer
from chalicelib.features.invoices import service as invoices
from chalicelib.features.invoices.records import Fee, FeePaymentStatus
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import FeeId, OrganizationId, SubscriptionId
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# Instants of the last change to each status.
_SINCE = {"succeeded": "succeeded_at", "failed": "failed_at", "refunded": "refunded_at"}
# Number of latest invoices whose fees a read waits for: a client just made no older ones.
_LATEST = 25


def find(organization_id: OrganizationId, fee_id: FeeId) -> Stored:
    """A fee of a final invoice, or one without.

    Raises: NotFound.
    """
    found = store.get(organization_id, fee_id)
    if found is None or found.deleted:
        raise NotFound(Resource.FEE)
    return found


def show_many(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[dict[str, Any]]:
    """Fees as the API shows them, each with its payment status."""
    statuses = payment_statuses(organization_id, fees)
    return [serializer.fee(fee, statuses[fee.id]) for fee in fees]


def payment_statuses(organization_id: OrganizationId, fees: Sequence[Fee]) -> dict[str, str]:
    """Each fee's payment status: its invoice's, else its own."""
    invoices_of = invoice_reading.get_many(organization_id, [fee.invoice_id for fee in fees if fee.invoice_id])
    of_invoice = {invoice.id: invoice.payment_status for invoice in invoices_of.values()}
    return {f.id: of_invoice.get(f.invoice_id, f.payment_status) if f.invoice_id else f.payment_status for f in fees}


def paid_between(
    organization_id: OrganizationId, subscription_id: SubscriptionId, low: datetime, high: datetime
) -> Iterator[PaidDays]:
    """The days that a subscription paid in advance, of ranges that begin between two instants, both included."""
    return store.paid_between(organization_id, subscription_id, low, high)


def enter(organization_id: OrganizationId, fees: Sequence[Fee]) -> list[Write]:
    """Enter a final invoice's fees into the lists, and return the action that counts them there. Idempotent until that is
    committed."""
    return store.copy_many(organization_id, fees)


def behind(organization: OrganizationRef) -> bool:
    """Whether fees of the latest invoices are still to be brought into the list."""
    now = clock.utc_now()
    subjects = [f"{invoice.id}#finalized" for invoice in invoice_reading.latest(organization.id, _LATEST)]
    return agenda.any_of([agenda.task(invoices.ISSUED, organization, subject, now).key for subject in subjects])


def created(organization: OrganizationRef, fee: Fee, payment_status: str, *, now: datetime) -> list[Task]:
    """The announcement of a fee in advance."""
    subject = f"fee.created#{fee.id}"
    return webhooks.announcement(
        organization, "fee.created", "fee", lambda: serializer.fee(fee, payment_status), subject=subject, now=now
    )


def update(organization_id: OrganizationId, fee_id: FeeId, values: Mapping[str, Any], *, now: datetime) -> Fee:
    """Set the payment status of a fee without invoice.

    Raises: NotFound; Invalid; NotAllowed, `invoiced_fee`; ChangedMeanwhile.
    """

    def attempt() -> Fee:
        old = find(organization_id, fee_id)
        status = values.get("payment_status", old.fee.payment_status)
        if status not in get_args(FeePaymentStatus):
            raise Invalid.field("payment_status", ErrorCode.VALUE_IS_INVALID)
        _check_standalone(old)
        since = {_SINCE[status]: now} if status in _SINCE and status != old.fee.payment_status else {}
        new = old.fee.model_copy(update={"payment_status": status, **since})
        Unit([store.replace_action(organization_id, old, new)]).commit()
        return new

    return retrying(attempt, Resource.FEE)


def remove(organization_id: OrganizationId, fee_id: FeeId) -> Fee:
    """Delete a fee without invoice.

    Raises: NotFound; NotAllowed, `invoiced_fee`; ChangedMeanwhile.
    """

    def attempt() -> Fee:
        old = find(organization_id, fee_id)
        _check_standalone(old)
        Unit(store.remove_actions(organization_id, old)).commit()
        return old.fee

    return retrying(attempt, Resource.FEE)


def _check_standalone(stored: Stored) -> None:
    if stored.fee.invoice_id is not None:
        raise NotAllowed(ErrorCode.INVOICED_FEE)
