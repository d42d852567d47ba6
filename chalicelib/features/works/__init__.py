"""Works: long acts of members, such as a change of many invoices, with how far they are.

Owns the record of a work and the outcome of each of its objects. Does not own the acts: whoever carries one out notes here what
became of each object. Keeps true: an object's outcome counts once, however often it is noted.
"""
