"""Storage of invoices and their fees.

Items
    pk                          sk                          what it is
    <org>#invoice#<id>          -                           the invoice
        index list:  <org>#invoice[#1]             <issuing date>#<created_at>#<id>   visible ones only (sparse), in parts
        index owner: <org>#invoice-of#<customer>   the same
    <org>#invoice#<id>          fee#<build>#<n>             a fee of one revision; readers read the one that the invoice names

Access patterns
    1 get(org, id)              GetItem   consistent
    2 fees_of(org, invoice)     Query     consistent, one fee revision
    3 write_fees(...)           BatchWrite under a new fee revision; leftovers of a crash are never read
    4 create_actions / replace_actions    part of the issuing transaction, with totals and figures, the customer's too
    5 listings.page(call)       Query     index list or owner
    6 drafts_of(org, customer)  Query     index owner, then BatchGet, consistent
    7 of_customer(org, ...)     Query     index owner: all visible ones
    8 drafts(org, ...)          Query     index list, as far as there are drafts, then 1 for each
    9 get_many(org, ids)        BatchGet  consistent
   10 fees_among(org, ...)      Query     consistent, one build, page by page until all are found
   11 latest(org, number), latest_of(org, customer, number)   Query     index list or owner: one page
   12 totals(org)              Query     the list's counters
   13 some_drafts(org, most)   Query     index list: one page
   14 issued_from(org, ...)     Query     index owner: one page
   15 check_action(org, seen)   part of another's transaction, which holds only while the invoice is as it was read
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from chalicelib.features.customers import figures as customer_figures
from chalicelib.features.invoices import figures
from chalicelib.features.invoices.figures import LIST, LIST_PARTS
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform import counters, listing, rows
from chalicelib.platform.attributes import RecordAttribute
from chalicelib.platform.collection import RecordRow
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId, key
from chalicelib.platform.rows import Listed, Owned, Row, Searched
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write


class InvoiceRow(RecordRow, Listed, Owned, Searched):
    """An invoice."""

    record = RecordAttribute(Invoice)


class InvoiceFeeRow(Row):
    """A fee of one revision of an invoice's fees."""

    record = RecordAttribute(Fee)


def get(organization_id: OrganizationId, invoice_id: InvoiceId) -> Invoice | None:
    """The invoice under an id, whatever its state."""
    found = InvoiceRow.find(*invoice_key(organization_id, invoice_id))
    return None if found is None else found.value


def get_many(organization_id: OrganizationId, ids: Iterable[InvoiceId]) -> dict[InvoiceId, Invoice]:
    """Those of the invoices under these ids that exist, whatever their state."""
    found = InvoiceRow.find_many([invoice_key(organization_id, each) for each in dict.fromkeys(ids)])
    return {row.record.id: row.value for row in found.values()}


def fees_of(organization_id: OrganizationId, invoice: Invoice) -> list[Fee]:
    """The fees that count, in their order on the invoice."""
    return [row.record for row in _fee_rows(organization_id, invoice)]


def fees_among(organization_id: OrganizationId, invoice: Invoice, ids: set[str], *, at_once: int) -> list[Fee]:
    """Those of an invoice's fees that have these ids; read in pieces until all are found."""
    found: list[Fee] = []
    for row in _fee_rows(organization_id, invoice, limit=at_once):
        if row.record.id in ids:
            found.append(row.record)
            if len(found) == len(ids):
                break
    return found


def drafts_of(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's drafts, each read again consistently; the list itself is an index's."""
    found = InvoiceRow.select(owner_pk(organization_id, customer_id), index="owner", where=_IS_DRAFT)
    ids = [row.record.id for row in found]
    current = get_many(organization_id, ids)
    return [current[each] for each in ids if each in current and current[each].status == "draft"]


def drafts(organization_id: OrganizationId, *, before: str = "") -> Iterator[tuple[str, Invoice]]:
    """All drafts of an organization, each with its place and read again consistently, the latest issuing date first: there
    they stand close together. `before`: only those that follow a place."""
    left = counters.total(organization_id, LIST, "status=draft")
    within = InvoiceRow.list_sk.between("0", before or "A")
    found = _listed(organization_id, within=within, where=_IS_DRAFT)
    for row in itertools.islice(found, left):
        current = get(organization_id, row.record.id) if row.list_sk != before else None
        if current is not None and current.status == "draft":
            yield str(row.list_sk), current


def some_drafts(organization_id: OrganizationId, most: int) -> tuple[list[Invoice], bool]:
    """Drafts of the latest issuing dates, and whether there may be more; from an index, one request for each part."""
    pages = [
        rows.page(pk, index="list", descending=True, where=_IS_DRAFT)
        for pk in listing.parts_of(key(organization_id, LIST), LIST_PARTS)
    ]
    found = [InvoiceRow.read(item) for page in pages for item in page.items]
    found.sort(key=lambda row: str(row.list_sk), reverse=True)
    is_more = len(found) > most or any(page.position is not None for page in pages)
    return [row.value for row in found[:most]], is_more


def of_customer(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's visible invoices, newest issuing date first; from an index, for showing only."""
    found = InvoiceRow.select(owner_pk(organization_id, customer_id), index="owner", descending=True)
    return [row.value for row in found]


def latest_of(organization_id: OrganizationId, customer_id: CustomerId, number: int) -> list[Invoice]:
    """So many of a customer's visible invoices, of the latest issuing dates; from an index, which may lag."""
    page = rows.page(owner_pk(organization_id, customer_id), index="owner", descending=True, limit=number)
    return [InvoiceRow.read(item).value for item in page.items]


def totals(organization_id: OrganizationId) -> Mapping[str, int]:
    """The totals of the list: `all`, `status=<status>`, `payment_status=<status>`."""
    return counters.totals(organization_id, LIST)


def issued_from(organization_id: OrganizationId, customer_id: CustomerId, day: date, number: int) -> list[Invoice]:
    """So many of a customer's visible invoices issued on a day or later, the oldest first; from an index, which may lag."""
    later = InvoiceRow.owner_sk >= day.isoformat()
    page = rows.page(owner_pk(organization_id, customer_id), index="owner", within=later, limit=number)
    return [InvoiceRow.read(item).value for item in page.items]


def latest(organization_id: OrganizationId, number: int) -> list[Invoice]:
    """So many visible invoices of the latest issuing dates; from an index, which may lag."""
    return [row.value for row in itertools.islice(_listed(organization_id, limit=number), number)]


def write_fees(organization_id: OrganizationId, invoice_id: InvoiceId, build: str, fees: Sequence[Fee]) -> None:
    """Write the fees of a revision (`build`). Nobody reads them before an invoice names the revision."""
    pk, _ = invoice_key(organization_id, invoice_id)
    rows.put_records(InvoiceFeeRow.record, {(pk, f"fee#{build}#{n:05d}"): fee for n, fee in enumerate(fees)})


def create_actions(organization_id: OrganizationId, invoice: Invoice) -> list[Write]:
    """Store a new invoice; refused where one of this id stands already."""
    return [
        _row(organization_id, invoice).create(),
        *_counted(organization_id, None, invoice),
        *_figures_moved(organization_id, None, invoice),
    ]


def replace_actions(organization_id: OrganizationId, old: Invoice, new: Invoice) -> list[Write]:
    """Replace `old` by `new`, under its optimistic lock."""
    return [
        _row(organization_id, new).replace(old.version),
        *_counted(organization_id, old, new),
        *_figures_moved(organization_id, old, new),
    ]


def check_action(organization_id: OrganizationId, seen: Invoice) -> Write:
    """Refuse the transaction if somebody wrote an invoice since it was read."""
    return InvoiceRow.check(invoice_key(organization_id, seen.id), InvoiceRow.version == seen.version)


def invoice_key(organization_id: OrganizationId, invoice_id: InvoiceId) -> Key:
    """The key of an invoice; its fees lie under the same partition key."""
    return key(organization_id, "invoice", invoice_id), "-"


def owner_pk(organization_id: OrganizationId, customer_id: CustomerId) -> str:
    """The key of the index owner under which a customer's invoices stand."""
    return key(organization_id, "invoice-of", customer_id)


_IS_DRAFT = rows.field("status") == "draft"


def _fee_rows(
    organization_id: OrganizationId, invoice: Invoice, *, limit: int | None = None
) -> Iterator[InvoiceFeeRow]:
    pk, _ = invoice_key(organization_id, invoice.id)
    return InvoiceFeeRow.select(pk, within=InvoiceFeeRow.sk.startswith(f"fee#{invoice.build}#"), limit=limit)


def _counted(organization_id: OrganizationId, old: Invoice | None, new: Invoice) -> list[Write]:
    """The actions that bring the totals of the list, and the figures, in line."""
    changes: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for invoice, sign in ((old, -1), (new, 1)):
        for month, sums in _totals(invoice) if invoice is not None else ():
            for name, number in sums.items():
                changes[month][name] += sign * number
    return [
        write
        for month, sums in changes.items()
        for write in counters.moved(organization_id, LIST, new.id, sums, month=month)
    ]


def _totals(invoice: Invoice) -> Iterator[tuple[str, dict[str, int]]]:
    """The totals that a visible invoice belongs to: those of the list (""), and of the months in which it was issued and
    paid."""
    if not invoice.visible:
        return
    names = ("all", f"status={invoice.status}", f"payment_status={invoice.payment_status}")
    yield "", dict.fromkeys(names, 1) | figures.totals(invoice)
    yield from filter(None, (figures.invoiced(invoice), figures.paid(invoice)))


def _figures_moved(organization_id: OrganizationId, old: Invoice | None, new: Invoice) -> list[Write]:
    """The change of the customer's figures, where it has any."""
    changes = Counter(_figures(new))
    changes.subtract({} if old is None else _figures(old))
    return customer_figures.moved(organization_id, new.customer_id, "invoices", changes)


def _figures(invoice: Invoice) -> dict[str, int]:
    """Additions of a visible invoice to its customer's figures."""
    if not invoice.visible:
        return {}
    if invoice.status != "finalized":
        return {"all": 1, "drafts": int(invoice.status == "draft")}
    invoiced = customer_figures.invoiced_name(invoice.issuing_date.year, invoice.currency)
    overdue = invoice.due_amount_cents if invoice.payment_overdue else 0
    return {"all": 1, invoiced: invoice.total_amount_cents, customer_figures.overdue_name(invoice.currency): overdue}


def _listed(organization_id: OrganizationId, **how: Any) -> Iterator[InvoiceRow]:
    """The list's rows, the latest issuing date first."""
    return listing.merged(InvoiceRow, key(organization_id, LIST), LIST_PARTS, index="list", descending=True, **how)


def _row(organization_id: OrganizationId, invoice: Invoice) -> InvoiceRow:
    pk, sk = invoice_key(organization_id, invoice.id)
    row = InvoiceRow(pk=pk, sk=sk, version=invoice.version, record=invoice)
    if invoice.visible:
        row.list_pk = listing.part_of(key(organization_id, LIST), invoice.id, LIST_PARTS)
        row.owner_pk = owner_pk(organization_id, invoice.customer_id)
        row.list_sk = row.owner_sk = f"{invoice.issuing_date.isoformat()}#{stamp(invoice.created_at)}#{invoice.id}"
        row.words = rows.words_of(invoice.number, invoice.id, invoice.customer_search)
    return row
