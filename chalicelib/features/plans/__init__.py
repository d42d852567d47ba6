"""Plans: what a subscription costs per interval, and the charges for what is used.

Owns plans with their charges. Does not own metrics (named by id) or subscriptions. Keeps true: once a subscription has
taken a plan, what decides its periods does not change; a metric knows which live plans use it.
"""
