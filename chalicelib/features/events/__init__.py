"""Events: usage of customers, as it is sent.

Owns validation, the hand-over to the queue, and reading single events back. Does not own counting (`features/metering`)
or units (`features/usage`). Keeps true: 200 means that the queue has the event; a refused batch leaves nothing behind.
"""
