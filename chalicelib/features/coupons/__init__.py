"""Coupons: discounts of the catalog, and their application to customers.

Owns coupon records, applied coupons, and what a use or its return does to an applied coupon. Does not own the discount on an
invoice (`domain/invoicing/coupons.py`), nor when an invoice takes it (`features/credits`). Keeps true: an applied coupon that
may be used stands under its customer's key, and only there; a coupon that is not reusable is applied to a customer once.
"""
