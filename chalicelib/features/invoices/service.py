"""Reading and changing issued invoices, and the tasks that follow an issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from chalicelib import limits
from chalicelib.domain.error_codes import ErrorCode, Resource
from chalicelib.domain.errors import Forbidden, Invalid, NotAllowed, NotFound, merge
from chalicelib.features.documents import orders
from chalicelib.features.invoices import figures, overdue, purchases, store, whole
from chalicelib.features.invoices.parts import MetadataPair
from chalicelib.features.invoices.records import Invoice, PaymentStatus
from chalicelib.features.organizations import service as organizations
from chalicelib.features.organizations.records import Organization
from chalicelib.features.webhooks import service as webhooks
from chalicelib.platform import agenda, clock, metadata
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import InvoiceId, OrganizationId, new_id
from chalicelib.platform.retry import retrying
from chalicelib.platform.unit import Unit, Write

# The announcement of an issue, and printing. In real time whatever clock the organization has.
ISSUED = agenda.kind("invoice_issued", rank=85, real_time=True)
# The message of a final invoice, by type; `invoice.created` of all others.
_CREATED = {"one_off": "invoice.one_off_created", "credit": "invoice.paid_credit_added"}
# After the payment of a credit invoice succeeded or failed: what it purchased is added, or given up.
SETTLE = agenda.kind("settle_credits", rank=3)
# After an invoice is paid otherwise, or void: what was to collect it is withdrawn. In real time, as providers are.
TIDY = agenda.kind("tidy_payments", rank=88, real_time=True, queue="providers")
PRINT = agenda.kind("print_invoice", rank=95, real_time=True, queue="documents")


def find(organization_id: OrganizationId, invoice_id: InvoiceId) -> Invoice:
    """A visible invoice.

    Raises: NotFound.
    """
    invoice = store.get(organization_id, invoice_id)
    if invoice is None or not invoice.visible:
        raise NotFound(Resource.INVOICE)
    return invoice


def issued_tasks(organization: OrganizationRef, invoice: Invoice) -> list[Task]:
    """The one task of a visible invoice's issue, which fans out after the commit; the issue transaction writes it. A draft
    is only told of, so where nobody listens it has none."""
    if invoice.status == "draft" and not webhooks.listening(organization.id, message_of(invoice, invoice.status)):
        return []
    return [agenda.task(ISSUED, organization, f"{invoice.id}#{invoice.status}", clock.utc_now())]


def message_of(invoice: Invoice, status: str) -> str:
    """The type of the message that announces an invoice's issue in a status. Source: rules/invoices 13."""
    return "invoice.drafted" if status == "draft" else _CREATED.get(invoice.invoice_type, "invoice.created")


def announced(organization: Organization, invoice: Invoice, name: str, *, subject: str, now: datetime) -> list[Task]:
    """The announcement of what became of an invoice, which is shown whole."""
    return webhooks.announcement(
        organization.ref,
        name,
        "invoice",
        lambda: whole.show(organization.id, invoice, now=now),
        subject=f"{name}#{subject}",
        now=now,
    )


def update(
    organization_id: OrganizationId, invoice_id: InvoiceId, values: Mapping[str, Any], *, now: datetime
) -> tuple[Invoice, list[Task]]:
    """Set the payment status or the metadata. Source: rules/invoices 1, 11.

    Raises: NotFound; NotAllowed; Forbidden, for a purchase of a wallet that has ended; Invalid; ChangedMeanwhile.
    """

    def attempt() -> tuple[Invoice, list[Task]]:
        old = payable(organization_id, invoice_id)
        new = _updated(old, values, now=now)
        held: list[Write] = []
        if new.payment_status != old.payment_status:
            is_paid = new.payment_status == "succeeded"
            held = purchases.receiving(organization_id, old, now=now) if is_paid else _unpaid(organization_id, old)
        change = changed(organization_id, old, new, now=now)
        Unit(change.actions, held, [agenda.put(task, now=now) for task in change.tasks]).commit()
        return change.invoice, change.tasks

    return retrying(attempt, Resource.INVOICE)


@dataclass(frozen=True, slots=True)
class InvoiceChange:
    """An invoice after a change, not yet written: the actions that write it, and the tasks that follow, which the same
    transaction puts on the agenda and which are pushed after it."""

    invoice: Invoice
    actions: list[Write]
    tasks: list[Task]


def changed(
    organization_id: OrganizationId, old: Invoice, new: Invoice, *, now: datetime, tells: bool = True
) -> InvoiceChange:
    """The change of an issued invoice, whether it was asked for, paid or offset: the one place that knows what follows from
    another payment status: its message, and of a credit invoice the settlement of what it purchased. A paid invoice is not
    overdue. `tells`: the message is among the tasks; else the caller sees to it. Source: rules/invoices 10."""
    own = organizations.get(organization_id)
    organization = own.ref
    new, followed = overdue.followed(organization, old, figures.dated(new, old, own.timezone, now=now), now=now)
    tasks: list[Task] = []
    if new.payment_status != old.payment_status:
        told = _status_message(organization, old, new, now=now) if tells else []
        tasks = [*told, *settle_tasks(organization, new, now=now)]
    tasks += tidy_tasks(organization, old, new)
    actions = [*store.replace_actions(organization_id, old, new), *followed]
    return InvoiceChange(new.model_copy(update={"version": old.version + 1}), actions, tasks)


def settled(invoice: Invoice, *, now: datetime, **amounts: int) -> Invoice:
    """An invoice after its paid or offset amount was raised: succeeded once nothing is due. Source: rules/invoices 10."""
    after: Invoice = invoice.changed(now=now, **amounts)
    return after.model_copy(update={"payment_status": "succeeded"}) if after.due_amount_cents == 0 else after


def settle_tasks(organization: OrganizationRef, invoice: Invoice, *, now: datetime) -> list[Task]:
    """The task that adds or gives up what a credit invoice purchased, once it is paid, failed or void; none for others."""
    is_decided = invoice.payment_status != "pending" or invoice.status in ("voided", "closed")
    if invoice.purchase_id is None or not is_decided:
        return []
    return [agenda.task(SETTLE, organization, f"{invoice.id}#{invoice.version}", now)]


def tidy_tasks(organization: OrganizationRef, old: Invoice, new: Invoice) -> list[Task]:
    """The task that withdraws a payment under way and closes open pages, where less is due than they are to collect."""
    is_owed = new.status in ("finalized", "open") and new.payment_status != "succeeded"
    is_less = not is_owed or new.due_amount_cents < old.due_amount_cents
    return [tidy_task(organization, new.id)] if is_less and (new.payment_under_way or new.payment_pages) else []


def tidy_task(organization: OrganizationRef, invoice_id: InvoiceId) -> Task:
    """The task that brings the payment under way, and the pages, of an invoice in line with what is due of it."""
    return agenda.task(TIDY, organization, invoice_id, clock.utc_now())


def given_up(organization: OrganizationRef, old: Invoice, *, now: datetime) -> InvoiceChange:
    """The end of an open invoice that nobody paid: it is never shown."""
    new: Invoice = old.changed(now=now, status="closed")
    tasks = [*settle_tasks(organization, new, now=now), *tidy_tasks(organization, old, new)]
    return InvoiceChange(new, store.replace_actions(organization.id, old, new), tasks)


def payable(organization_id: OrganizationId, invoice_id: InvoiceId) -> Invoice:
    """A visible invoice, one that is shown once it is paid, or a purchase that was given up before it was shown.

    Raises: NotFound.
    """
    invoice = store.get(organization_id, invoice_id)
    is_known = invoice is not None and (invoice.visible or invoice.status == "open" or invoice.purchase_id is not None)
    if invoice is None or not is_known:
        raise NotFound(Resource.INVOICE)
    return invoice


def print_again_task(organization: OrganizationRef, invoice: Invoice, now: datetime) -> Task:
    """The task that prints an invoice anew, as it no longer is what its file says."""
    return agenda.task(PRINT, organization, invoice.id, now, {orders.AGAIN: True})


def printed_actions(organization_id: OrganizationId, old: Invoice, new: Invoice) -> list[Write]:
    """Let an invoice name its document; refused if somebody else wrote in between."""
    return store.replace_actions(organization_id, old, new)


def _status_message(organization: OrganizationRef, old: Invoice, new: Invoice, *, now: datetime) -> list[Task]:
    return webhooks.announcement(
        organization,
        "invoice.payment_status_updated",
        "invoice",
        lambda: whole.show(organization.id, new, now=now),
        subject=f"invoice.payment_status_updated#{old.id}#{old.version}",
        now=now,
    )


def _updated(old: Invoice, values: Mapping[str, Any], *, now: datetime) -> Invoice:
    if old.status == "voided":
        raise NotAllowed(ErrorCode.UPDATE_ON_VOIDED_INVOICE)
    if old.status == "closed":
        raise Forbidden(ErrorCode.INVALID_TYPE_OR_STATUS)
    fields: dict[str, Any] = {}
    if "payment_status" in values:
        if values["payment_status"] not in get_args(PaymentStatus):
            raise Invalid.field("payment_status", ErrorCode.VALUE_IS_INVALID)
        if old.status == "draft":
            raise NotAllowed(ErrorCode.PAYMENT_STATUS_UPDATE_ON_DRAFT_INVOICE)
        fields["payment_status"] = values["payment_status"]
    if "metadata" in values:
        if old.status == "draft":
            raise NotAllowed(ErrorCode.METADATA_ON_DRAFT_INVOICE)
        fields["metadata"] = _metadata(old, values["metadata"], now=now)
    return old.model_copy(update={**fields, "updated_at": now})


def _unpaid(organization_id: OrganizationId, invoice: Invoice) -> list[Write]:
    """The writes that hold that an invoice may be set back: its ledger does not say that it is paid, nor are the credits that
    it sold in their wallet.

    Raises: Invalid.
    """
    is_settled, held = purchases.settled(organization_id, invoice)
    if is_settled or invoice.due_amount_cents == 0:
        raise Invalid.field("payment_status", ErrorCode.VALUE_IS_INVALID)
    return held


def _metadata(old: Invoice, entries: Any, *, now: datetime) -> tuple[MetadataPair, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries or []):
        raise Invalid.field("metadata", ErrorCode.INVALID_TYPE)
    if len(entries) > limits.METADATA_PAIRS_MAX:
        raise Invalid.field("metadata", ErrorCode.INVALID_COUNT)
    known = {pair.id: pair for pair in old.metadata}
    pairs: list[MetadataPair] = []
    findings: dict[str, list[str]] = {}
    for entry in entries:
        before = known.get(str(entry.get("id")))
        name = entry.get("key", before.key if before else None)
        value = entry.get("value", before.value if before else None)
        wrong = metadata.findings(metadata.Pair, name, value, {pair.key for pair in pairs})
        findings = merge(findings, wrong)
        if not wrong:
            made = before or MetadataPair(id=new_id(), key="", value="", created_at=now)
            pairs.append(made.model_copy(update={"key": str(name), "value": str(value)}))
    if findings:
        raise Invalid(findings)
    return tuple(pairs)


def download(organization: Organization, invoice_id: InvoiceId) -> Invoice:
    """The finalized invoice whose document is wanted; one that is not there is printed at once.

    Raises: NotFound, also for drafts.
    """
    invoice = find(organization.id, invoice_id)
    if invoice.status not in ("finalized", "voided"):
        raise NotFound(Resource.INVOICE)
    if not orders.ready(invoice.file_key):
        orders.ask(PRINT, organization.ref, invoice_id, lost=invoice.file_key is not None)
    return invoice
