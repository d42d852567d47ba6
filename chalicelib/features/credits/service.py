"""The credits of a customer, whatever their kinds: reading, offering, taking and writing them.

A further kind is one entry in each of these functions, and touches nothing of `features/invoicing`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import accumulate

from chalicelib import limits
from chalicelib.domain.invoicing.coupons import Coupon
from chalicelib.domain.invoicing.steps import Credits, Totals
from chalicelib.domain.invoicing.wallets import Bucket
from chalicelib.features.coupons import applying
from chalicelib.features.credits import applied_coupons, open_notes, wallets
from chalicelib.features.credits.applied_coupons import TakenCoupon, UsableCoupon
from chalicelib.features.credits.credit import Credit, Taken
from chalicelib.features.credits.open_notes import NoteChange, OpenNote, TakenNote
from chalicelib.features.credits.wallets import TakenBalance, WalletBalance
from chalicelib.features.customers.items import CustomerItems
from chalicelib.features.invoices.parts import CouponPart, CreditPart, WalletPart
from chalicelib.features.invoices.records import Fee, Invoice
from chalicelib.features.wallets import writing as wallet_writing
from chalicelib.platform import agenda
from chalicelib.platform.agenda import Task
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.ids import CustomerId, OrganizationId
from chalicelib.platform.unit import Write

# The places of an issue transaction whose maker adds nothing of its own.
PLACES = limits.TRANSACTION_PLACES - limits.ISSUE_PLACES
_ITEMS_MAX = limits.CREDITED_ITEMS_MAX


@dataclass(frozen=True, slots=True)
class Offer:
    """The credits that one invoice may take, each kind in its order of use; coupons as its computation sees them. `buckets`:
    those of its fees."""

    notes: tuple[OpenNote, ...] = ()
    coupons: tuple[tuple[UsableCoupon, Coupon], ...] = ()
    wallets: tuple[WalletBalance, ...] = ()
    buckets: tuple[Bucket, ...] = ()

    def credits(self) -> Credits:
        """The credits as the computation of the invoice sees them."""
        return Credits(
            notes=tuple(note.offer() for note in self.notes),
            coupons=tuple(offer for _, offer in self.coupons),
            wallets=tuple(wallet.offer(self.buckets) for wallet in self.wallets),
        )

    def taken(self, invoice: Invoice, sums: Totals, *, now: datetime) -> list[Taken]:
        """Credits after the invoice took the cents of its computation from them."""
        usable = {offer.id: coupon for coupon, offer in self.coupons}
        taken: list[tuple[Credit, int]] = [
            *zip(self.notes, sums.taken_from_notes, strict=True),
            *((usable[each.coupon_id], each.amount_cents) for each in sums.discounts),
            *zip(self.wallets, sums.paid_by_wallets, strict=True),
        ]
        return [credit.take(invoice, cents, now=now) for credit, cents in taken if cents]


def open_of(organization: OrganizationRef, items: CustomerItems) -> tuple[Credit, ...]:
    """All credits that a customer has, each kind in the order in which invoices take it."""
    return (
        *open_notes.open_of(organization.id, items),
        *applied_coupons.open_of(organization.id, items),
        *wallets.open_of(organization, items),
    )


def offered(credits: Sequence[Credit], invoice: Invoice, fees: Sequence[Fee], *, places: int = PLACES) -> Offer:
    """The credits that an invoice of these fees may take. `places`: those that the issue transaction has for them.

    Of more than it holds the later ones wait for the next invoice, notes behind coupons: none of them loses anything. A
    coupon for ever would, so it never waits: beyond the places it is taken without a write. Source: rules/invoices 5.
    """
    found = [credit for credit in credits if any(credit.applies_to(invoice, fee) for fee in fees)]
    balances = [each for each in found if isinstance(each, WalletBalance)][: limits.WALLETS_PER_CUSTOMER_MAX]
    places -= limits.WALLET_PLACES * len(balances) + bool(balances)
    usable = [each for each in found if isinstance(each, UsableCoupon)]
    in_order = applied_coupons.in_order(usable, invoice, fees)
    most = max(0, places) // limits.CREDIT_PLACES
    waiting = [coupon.applied.id for coupon, _ in in_order if not coupon.for_ever]
    notes = _together([each for each in found if isinstance(each, OpenNote)])[: max(0, most - len(waiting))]
    places -= limits.CREDIT_PLACES * (len(waiting[:most]) + len(notes))
    return Offer(
        notes=tuple(notes),
        coupons=tuple(_written([pair for pair in in_order if pair[0].applied.id not in waiting[most:]], places)),
        wallets=tuple(balances),
        buckets=tuple(dict.fromkeys(map(wallets.bucket_of, fees))),
    )


def _together(notes: Sequence[OpenNote]) -> list[OpenNote]:
    """The first of these notes, as many as one transaction holds by their size."""
    sizes = accumulate(len(each.note.items) for each in notes)
    return [each for n, (each, size) in enumerate(zip(notes, sizes, strict=True)) if not n or size <= _ITEMS_MAX]


def _written(coupons: Sequence[tuple[UsableCoupon, Coupon]], places: int) -> Iterator[tuple[UsableCoupon, Coupon]]:
    """These coupons; of those for ever only as many are written as there are places."""
    for coupon, offer in coupons:
        places -= coupon.for_ever
        yield replace(coupon, written=not coupon.for_ever or places >= 0), offer


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an invoice that its credits lower, by kind."""

    credits: tuple[CreditPart, ...]
    coupons: tuple[CouponPart, ...]
    wallet_payments: tuple[WalletPart, ...]

    @property
    def fields(self) -> dict[str, object]:
        """The parts as an invoice keeps them."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def parts(taken: Sequence[Taken]) -> Parts:
    """The parts of an invoice that took these credits."""
    return Parts(
        credits=tuple(each.part for each in taken if isinstance(each.part, CreditPart)),
        coupons=tuple(each.part for each in taken if isinstance(each.part, CouponPart)),
        wallet_payments=tuple(each.payment for each in taken if isinstance(each, TakenBalance)),
    )


def end_all(organization: OrganizationRef, customer_id: CustomerId, *, now: datetime) -> list[Task]:
    """End the credits of a deleted customer; the tasks that end what cannot end at once. Idempotent."""
    applying.end_all_of(organization.id, customer_id, now=now)
    return [agenda.task(wallet_writing.CLOSE, organization, customer_id, now)]


def actions(organization_id: OrganizationId, taken: Sequence[Taken], notes: Sequence[NoteChange]) -> list[Write]:
    """The writes of all credits that an issue transaction takes, and of the credit notes that it changes otherwise.

    All changes of one kind are written together, as their total moves in one row that a transaction may touch only
    once.
    """
    return [
        *open_notes.actions(organization_id, [each for each in taken if isinstance(each, TakenNote)], notes),
        *applied_coupons.actions(organization_id, [each for each in taken if isinstance(each, TakenCoupon)]),
        *wallets.actions([each for each in taken if isinstance(each, TakenBalance)]),
    ]


@dataclass(frozen=True, slots=True)
class Restored:
    """The credits that get back what a void invoice took of them. `writes` and `tasks`: those of other kinds than notes, which
    the transaction writes together with others of their kind."""

    notes: tuple[NoteChange, ...] = ()
    writes: tuple[Write, ...] = ()
    tasks: tuple[Task, ...] = ()


def restore(
    organization: OrganizationRef, items: CustomerItems, invoice: Invoice, *, credited: bool, now: datetime
) -> Restored:
    """Give back what an invoice took. `credited`: credit notes stand for the value of the notes and balances that it used, so
    that these are kept; coupons come back in any case. Source: rules/invoices 1; rules/money 4."""
    coupons = applied_coupons.restore(organization.id, invoice, now=now)
    if credited:
        return Restored(writes=tuple(coupons))
    notes = open_notes.restored(organization.id, invoice, now=now)
    writes, tasks = wallets.restored(organization, items, invoice, now=now)
    return Restored(notes=tuple(notes), writes=(*coupons, *writes), tasks=tuple(tasks))
