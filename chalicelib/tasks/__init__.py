"""Scheduled tasks: one file for each room, with a handler for each kind; the tick and the worker that run them.

Keeps true: a message only proposes. What runs is what the item, read consistently, says; what is gone or not due is
dropped, so messages may be lost, doubled and late. Nobody's tasks wait for another's: organizations take turns wherever
something stands in line.
"""
