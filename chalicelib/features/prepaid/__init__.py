"""Prepaid credits over the whole of billing: purchases with their invoices, the ongoing balance, and what depends on it.

Owns top-ups, their settlement, their end with the wallet's, recurring top-ups, and the look at what a wallet will have to pay.
Does not own the wallet and its ledger (`features/wallets`), nor the payment of invoices with credits (`features/credits`).
Keeps true: a purchase is made with its invoice, and is settled once; no payment goes to a wallet that has ended.
"""
