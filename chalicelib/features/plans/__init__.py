"""Plans: a price per interval, charges for usage, fixed charges and minimum commitments.

Owns plans with their parts, and the children that override a plan for one subscription. Does not own metrics and
add-ons (named by id) or subscriptions, though it knows which have a plan. Keeps true: the fields that decide a plan's
periods do not change once a subscription has had it; a metric knows which live plans use it; a child follows its parent
only where the parent's change says so and nothing was overridden.
"""
