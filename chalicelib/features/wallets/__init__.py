"""Wallets: prepaid credits of a customer, with a ledger of all that added to them and took from them.

Owns the wallet, its transactions, its recurring rules as records, and the messages of both. Does not own the invoices of
purchases nor the ongoing balance (`features/prepaid`), nor the payment of invoices (`features/credits`). Keeps true: a
balance is the sum of the settled entries of its ledger, as each change writes both in one transaction.
"""
