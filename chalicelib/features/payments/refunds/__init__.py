"""Refunds of credit notes, through the providers that collected the payments.

Keeps true: what a note refunds is given back once, whatever crashes or stays without an answer; never more of a payment than is
left of it there; what no provider's payment covers is left to the client.
"""
