"""Invoicing: turns the amounts that a customer owes at an instant into invoices, committed together.

Owns the makers of invoices (run, finalize, event_charges, regroup) and the one issue transaction that they share;
composing, drafts and standalone renewals. Does not own subscriptions, invoices or credits, whose stores it writes
through. Keeps true: a period of a subscription is billed once (optimistic lock: the subscription's version, which holds
`billed_until` and `billed_on`); an invoice, its number, the credits it takes, the subscriptions it bills and the next
task change together.
"""
