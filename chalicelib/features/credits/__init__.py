"""Credits: balances that lower an invoice. Open credit notes and applied coupons; wallet balances are a further kind.

Owns the protocol `Credit` and how each kind is read, offered, taken and written. Does not own the order in which kinds
are taken (`domain/invoicing/steps.py`) nor the issue transaction. Keeps true: the part of a credit that an invoice
takes is written in the transaction that issues the invoice; all changes of one kind are written together.
"""
