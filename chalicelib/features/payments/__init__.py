"""Payments: the ledger of what was paid of invoices, and a receipt for each payment.

Owns payments and receipts with their lists and totals. Does not own what an invoice becomes when it is paid
(`features/invoices/service.changed`). Keeps true: an invoice's paid amount is the sum of its payments, as all of them are
written in one transaction under the invoice's optimistic lock; nobody pays more than is due; entries never change.
"""
