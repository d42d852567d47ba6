"""Where invoices and their fees are kept.

Items
    pk                          sk                          what it is
    <org>#invoice#<id>          -                           the invoice
        index list:  <org>#invoice                 <issuing date>#<created_at>#<id>   visible ones only (sparse)
        index owner: <org>#invoice-of#<customer>   the same
    <org>#invoice#<id>          fee#<build>#<n>             a fee of one build; only the build that the invoice names is read

Access patterns
    1 get(org, id)              GetItem   consistent
    2 fees_of(org, invoice)     Query     consistent, one build
    3 write_fees(...)           BatchWrite under a build nobody reads yet; what a crash left is never read
    4 create_actions / replace_actions    part of the issuing transaction, with totals
    5 lists                     Query     index list or owner
    6 drafts_of(org, customer)  Query     index owner, then 1 for each
    7 of_customer(org, ...)     Query     index owner: all visible ones
    8 drafts(org, ...)          Query     index list, as far as there are drafts, then 1 for each
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.platform import counters
from chalicelib.platform.collection import dump
from chalicelib.platform.dynamodb import Key
from chalicelib.platform.ids import CustomerId, InvoiceId, OrganizationId, key
from chalicelib.platform.table import core
from chalicelib.platform.timestamps import stamp
from chalicelib.platform.unit import Write
from chalicelib.platform.values import Item


def get(organization_id: OrganizationId, invoice_id: InvoiceId) -> Invoice | None:
    """The invoice under an id, whatever its state."""
    item = core.get(*invoice_key(organization_id, invoice_id))
    return None if item is None else read(item)


def fees_of(organization_id: OrganizationId, invoice: Invoice) -> list[Fee]:
    """The fees that count, in their order on the invoice."""
    pk, _ = invoice_key(organization_id, invoice.id)
    return [Fee.model_validate(item["record"]) for item in core.query(pk, begins=f"fee#{invoice.build}#")]


def drafts_of(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's drafts, each read again consistently; the list itself is an index's."""
    pk = key(organization_id, "invoice-of", customer_id)
    where = {"where": "#record.#status = :draft", "names": {"#record": "record", "#status": "status"}}
    found = core.query(pk, index="owner", values={":draft": "draft"}, **where)
    current = [get(organization_id, read(item).id) for item in found]
    return [invoice for invoice in current if invoice is not None and invoice.status == "draft"]


def drafts(organization_id: OrganizationId, *, before: str = "") -> Iterator[tuple[str, Invoice]]:
    """All drafts of an organization, each with its place and read again consistently, the latest issuing date first: there
    they stand close together. `before`: only those that follow a place."""
    left = counters.total(organization_id, "invoice", "status=draft")
    where = {"where": "#record.#status = :draft", "names": {"#record": "record", "#status": "status"}}
    bounds = ("0", before or "A")
    found = core.query(
        key(organization_id, "invoice"),
        index="list",
        between=bounds,
        descending=True,
        values={":draft": "draft"},
        **where,
    )
    for item in itertools.islice(found, left):
        current = get(organization_id, read(item).id) if item["list_sk"] != before else None
        if current is not None and current.status == "draft":
            yield item["list_sk"], current


def of_customer(organization_id: OrganizationId, customer_id: CustomerId) -> list[Invoice]:
    """A customer's visible invoices, newest issuing date first; from an index, for showing only."""
    found = core.query(key(organization_id, "invoice-of", customer_id), index="owner", descending=True)
    return [read(item) for item in found]


def write_fees(organization_id: OrganizationId, invoice_id: InvoiceId, build: str, fees: Sequence[Fee]) -> None:
    """Write the fees of a build. Nobody reads them before an invoice names the build."""
    pk, _ = invoice_key(organization_id, invoice_id)
    core.write_many([{"pk": pk, "sk": f"fee#{build}#{n:05d}", "record": dump(fee)} for n, fee in enumerate(fees)])


def create_actions(organization_id: OrganizationId, invoice: Invoice) -> list[Write]:
    """Store a new invoice; refused where one of this id stands already."""
    created = core.create(_item(organization_id, invoice))
    return [created, *counters.moved(organization_id, "invoice", invoice.id, _totals(invoice, 1))]


def replace_actions(organization_id: OrganizationId, old: Invoice, new: Invoice) -> list[Write]:
    """Write `new` over `old`; refused if somebody else wrote in between."""
    written = new.model_copy(update={"version": old.version + 1})
    action = core.put(_item(organization_id, written), condition="version = :version", values={":version": old.version})
    before, after = _totals(old, -1), _totals(new, 1)
    changes = {name: before.get(name, 0) + after.get(name, 0) for name in {**before, **after}}
    return [action, *counters.moved(organization_id, "invoice", old.id, changes)]


def invoice_key(organization_id: OrganizationId, invoice_id: InvoiceId) -> Key:
    """Where an invoice stands; its fees lie under the same partition key."""
    return key(organization_id, "invoice", invoice_id), "-"


def read(item: Item) -> Invoice:
    """The invoice in an item."""
    return Invoice.model_validate(item["record"] | {"version": item["version"]})


def _totals(invoice: Invoice, number: int) -> dict[str, int]:
    """The totals that a visible invoice belongs to."""
    if not invoice.visible:
        return {}
    names = ("all", f"status={invoice.status}", f"payment_status={invoice.payment_status}")
    return dict.fromkeys(names, number)


def _item(organization_id: OrganizationId, invoice: Invoice) -> Item:
    pk, sk = invoice_key(organization_id, invoice.id)
    item: dict[str, Any] = {"pk": pk, "sk": sk, "version": invoice.version, "record": dump(invoice)}
    if invoice.visible:
        order = f"{invoice.issuing_date.isoformat()}#{stamp(invoice.created_at)}#{invoice.id}"
        item |= {
            "list_pk": key(organization_id, "invoice"),
            "list_sk": order,
            "owner_pk": key(organization_id, "invoice-of", invoice.customer_id),
            "owner_sk": order,
            "words": f"{invoice.number}\n{invoice.id}\n{invoice.customer_search}".lower(),
        }
    return item
