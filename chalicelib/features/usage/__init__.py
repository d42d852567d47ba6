"""Usage: how many units a subscription used in a range of time, exact to the millisecond, when it is read.

Owns reading rollups and compacting closed days into daily rollups. Does not own writing them (`features/metering`) or
pricing. Keeps true: what is read equals a recount of the raw events, at a cost that does not grow with their number.
"""
