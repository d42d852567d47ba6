"""Rating: turns a subscription's usage and billing line into fees.

Owns the pricing of usage and of single events, and the sums that bound fees in advance. Does not own usage
(`features/usage`) or invoices. Keeps true: the same usage and the same plan give the same fees for every caller.
"""
