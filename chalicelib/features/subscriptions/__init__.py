"""Subscriptions: which customer has which plan, since when, and what becomes of it.

Owns subscription records and what the API lets one do with them: start, change, end. It only writes down what shall
happen and makes the customer's billing due; invoices are decided in `features/invoicing` alone. Keeps true: one live
subscription per external id in the organization; a change and the billing it calls for are written together.
"""
