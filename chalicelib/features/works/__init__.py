"""Works: long acts of members, such as a change of many invoices or a file of a list, with how far they are.

Owns the record of a work, the objects that it has still to do, and the outcome of each. Does not own the acts: whoever
carries one out (chalicelib/tasks/works.py) notes here what became of each object. Keeps true: an object is chosen once and
its outcome counts once, however often it is noted.
"""
