"""Rating: from what a subscription used, and what is due, to fees.

Owns the pricing of usage and of single events, and the sums that bound fees in advance. Does not own usage
(`features/usage`) or invoices. Keeps true: the same usage and the same plan give the same fees, whoever asks.
"""
