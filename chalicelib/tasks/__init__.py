"""Scheduled tasks: one file for each room, with a handler for each kind; the tick and the worker that run them.

Keeps true: a message only proposes. The item, read consistently, decides; a message whose task is gone or not due is
dropped. So messages may be lost, doubled and late. Nobody's tasks wait for another's: organizations take turns wherever
something stands in line.
"""
