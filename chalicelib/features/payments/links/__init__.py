"""Links: which customer of a provider stands for a customer of ours, and the ways to pay that it left there.

Keeps true: one provider customer per customer and connection, whatever crashes; a link of one connection is never used with
another; what the provider has no more is not used.
"""
