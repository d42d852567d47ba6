"""Parts of a plan: charges with their filters, fixed charges, minimum commitments, and the codes that name them.

Owns building a part from a request and from the part before. Does not own plans, whose records hold them.
"""
