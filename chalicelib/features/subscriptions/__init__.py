"""Subscriptions: customers' uses of plans, from start to end.

Owns subscription records and their use cases: start, change, end. A use case only records the change and makes the
customer's billing due; `features/invoicing` alone decides invoices. Keeps true: one live subscription per external id
in the organization; a change and the billing task for it are written together.
"""
