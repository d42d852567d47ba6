"""Billable metrics: what is measured, and how its events become units.

Owns metric records and the list of plans that use each. Does not own events or units. Keeps true: once a live plan uses a
metric, what decides its units does not change.
"""
