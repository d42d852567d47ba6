"""Metering: each accepted event counts exactly once.

Owns raw events and rollup rows and the one way they are written: together, in one transaction. Does not own what units
mean (`features/usage`). Keeps true: no event counts without being stored, and none is stored without counting, however
often and in however many pieces a message is delivered.
"""
