"""Invoices and their fees: the records, their forms, lists and downloads.

Owns invoice and fee records, their lists and totals, and the effects of an issue (webhooks, document). Does not decide
amounts owed: `features/invoicing` does. Keeps true: an invoice is visible only when it is whole; amounts of a finalized
one never change; its number is drawn in the issue transaction.
"""
