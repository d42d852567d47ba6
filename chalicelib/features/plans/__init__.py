"""Plans: what a subscription costs per interval, the charges for what is used, fixed charges and minimum commitments.

Owns plans with their parts, and the children that override a plan for one subscription. Does not own metrics and add-ons
(named by id) or subscriptions, though it knows which have a plan. Keeps true: once a subscription has taken a plan, what
decides its periods does not change; a metric knows which live plans use it; a child follows its parent only where the
parent's change says so and nothing was overridden.
"""
