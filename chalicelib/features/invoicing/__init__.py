"""Invoicing: what a customer owes at an instant becomes invoices, committed together.

Owns the runs that make, finalize and regroup invoices. Does not own subscriptions or invoices, whose stores it writes
through. Keeps true: a period of a subscription is billed once (condition: the subscription's version, which holds
`billed_until` and `billed_on`); an invoice, its number, the subscriptions it bills and the next task change together.
"""
