"""Billing: what a customer owes at an instant, decided in one place and committed together.

Owns the decision (starts, periods, ends of all the customer's subscriptions at one instant), the pricing of usage and of
single events, the issuing of invoices and the view of open usage. Does not own subscriptions or invoices, whose stores it
writes through. Keeps true: a period of a subscription is billed once (condition: the subscription's version, which holds
`billed_until` and `billed_on`); an invoice, its number, the subscriptions it bills and the next task change together.
"""
