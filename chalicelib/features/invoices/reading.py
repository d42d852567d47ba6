"""Invoices and their fees as other rooms read them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from chalicelib.features.customers import service as customers
from chalicelib.features.invoices import store
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.plans import service as plans
from chalicelib.features.subscriptions import reading as subscription_reading
from chalicelib.platform import rows
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId
from chalicelib.platform.unit import Write


def get(organization_id: OrganizationId, invoice_id: InvoiceId) -> Invoice | None:
    """The invoice under an id, whatever its state."""
    return store.get(organization_id, invoice_id)


def read_ahead(organization_id: OrganizationId, invoice: Invoice) -> None:
    """Read an invoice's customer, subscriptions and plans in one request, for a page that shows it whole: where reads are
    remembered, nobody asks for them again."""
    subscriptions = list(dict.fromkeys(period.subscription_id for period in invoice.periods))
    rows.find_many_values(
        [
            customers.key_of(organization_id, invoice.customer_id),
            *subscription_reading.keys_of(organization_id, invoice.customer_id, subscriptions),
            *(plans.CATALOG.key(organization_id, each) for each in {period.plan_id for period in invoice.periods}),
        ]
    )


def get_many(organization_id: OrganizationId, ids: Iterable[InvoiceId]) -> dict[InvoiceId, Invoice]:
    """Those of the invoices under these ids that exist, whatever their state, in one request."""
    return store.get_many(organization_id, ids)


def fees_of(organization_id: OrganizationId, invoice: Invoice) -> list[Fee]:
    """The fees of an invoice, in their order on it."""
    return store.fees_of(organization_id, invoice)


def fees_among(organization_id: OrganizationId, invoice: Invoice, ids: set[str], *, at_once: int) -> list[Fee]:
    """Those of an invoice's fees that have these ids; read in pieces until all are found."""
    return store.fees_among(organization_id, invoice, ids, at_once=at_once)


def of_customer(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's visible invoices, newest issuing date first; from an index, for showing only."""
    return store.of_customer(organization_id, customer_id)


def latest_of(organization_id: OrganizationId, customer_id: CustomerId, number: int) -> list[Invoice]:
    """So many of a customer's visible invoices, of the latest issuing dates; from an index, which may lag."""
    return store.latest_of(organization_id, customer_id, number)


def some_drafts(organization_id: OrganizationId, most: int) -> tuple[list[Invoice], bool]:
    """Drafts of the latest issuing dates, and whether there are more; from an index, for showing only."""
    return store.some_drafts(organization_id, most)


def totals(organization_id: OrganizationId) -> Mapping[str, int]:
    """The totals of the list of invoices: `all`, `status=<status>`, `payment_status=<status>`."""
    return store.totals(organization_id)


def issued_from(organization_id: OrganizationId, customer_id: CustomerId, day: date, number: int) -> list[Invoice]:
    """So many of a customer's visible invoices that are issued on a day or later, the oldest first; for showing only."""
    return store.issued_from(organization_id, customer_id, day, number)


def latest(organization_id: OrganizationId, number: int) -> list[Invoice]:
    """So many visible invoices of the latest issuing dates; from an index, which may lag."""
    return store.latest(organization_id, number)


def drafts_of(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's drafts, each read consistently."""
    return store.drafts_of(organization_id, customer_id)


def drafts(organization_id: OrganizationId, *, before: str = "") -> Iterator[tuple[str, Invoice]]:
    """All drafts of an organization, each with its place and read consistently, the latest issuing date first. `before`:
    only those that follow a place."""
    return store.drafts(organization_id, before=before)


def check_action(organization_id: OrganizationId, seen: Invoice) -> Write:
    """Refuse the transaction if somebody wrote an invoice since it was read."""
    return store.check_action(organization_id, seen)
