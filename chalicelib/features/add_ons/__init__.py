"""Add-ons: named one-off prices, billed on one-off invoices and, by the unit, as fixed charges of plans.

Owns add-on records. Does not own its uses: fixed charges keep its id, issued fees a copy of its values. Keeps true:
a deleted add-on is found by nobody any more, and readers of plans pass over the fixed charges that use it.
"""
