"""Billable metrics: definitions of how events become units.

Owns metric records and the list of plans that use each. Does not own events or units. Keeps true: the fields that
decide a metric's units do not change once a live plan uses it.
"""
