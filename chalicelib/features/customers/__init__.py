"""Customers: the payers of invoices, with their settings and the state of their billing.

Owns the customer record, its uniqueness item by external id, and the billing state (next billing instant, numbers
drawn): the lock under which everything that decides a customer's money is written. Does not own subscriptions or
invoices, which stand under the same key. Keeps true: a customer with something to bill has exactly one billing task, at
the instant that the billing state names.
"""
