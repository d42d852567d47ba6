"""Running the agenda: the tick that finds what is due, the workers that carry it out.

Keeps true: a message only proposes. What runs is what the item, read consistently, says; what is gone or not due is
dropped, so messages may be lost, doubled and late. Nobody's tasks wait for another's: organizations take turns wherever
something stands in line.
"""
