"""Fees by themselves: those without an invoice, and the list of all.

Owns fees in advance that no invoice bills, their payment status, and the copies by which fees of final invoices are
found and listed. Does not own how a fee is computed (`features/rating`) nor the fees of an invoice
(`features/invoices`). Keeps true: a fee of an event or of a renewal is made once (its id is derived from the event or
renewal, also after its deletion).
"""
