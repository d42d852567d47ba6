"""Usage: units of a subscription in a range of time, exact to the millisecond, computed when read.

Owns reading rollups and compacting closed days into daily rollups. Does not own writing them (`features/metering`) or
pricing. Keeps true: a read equals a recount of the raw events, at a cost that does not grow with their number.
"""
