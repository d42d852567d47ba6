"""Taxes: named rates, applied to the whole organization or by code to customers, plans and charges.

Owns tax records and the list of the organization's default taxes. Does not own other uses of a tax: they keep its id,
and a deleted tax no longer counts. Keeps true: the default list names exactly the live taxes applied to the
organization.
"""
