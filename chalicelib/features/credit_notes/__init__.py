"""Credit notes: amounts given back on an invoice; how they are shown, listed, voided and announced.

Owns the notes, their lists and totals, and the open balances under the customer's key. Does not decide when a note is due
or when a balance is used: that is `features/invoicing`. Keeps true: a note on a draft invoice is hidden; the amounts of a
final one never change, only its balance goes down; an open balance stands under the customer exactly while it is above 0.
"""
