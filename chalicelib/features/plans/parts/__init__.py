"""Parts of a plan: charges with their filters, fixed charges, minimum commitments, and the codes that name them.

Owns how a part is built from what a request says and from what stood before. Does not own plans, whose records hold them.
"""
