"""Invoices and their fees: what was issued, how it is shown, listed and downloaded.

Owns invoice and fee records, their lists and totals, and what follows an issue (webhooks, document). Does not decide what
is owed: that is `features/invoicing`. Keeps true: an invoice is visible only when it is whole; amounts of a finalized one
never change; its number is drawn in the transaction that makes it final.
"""
