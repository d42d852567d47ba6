"""The test clock of sandbox organizations: time that moves on request, and runs every task on the way in due order.

Owns the clock's item and the order in which a sandbox's tasks run. Does not own the tasks themselves (`platform/agenda`).
Keeps true: a task runs with now = its due time; the clock never goes back; while it moves, nothing else changes.
"""
