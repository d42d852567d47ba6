"""Usage views: current, projected and past usage and estimates, as the API shows them.

Owns no records. Does not own usage (`features/usage`) or prices (`features/rating`). Keeps true: current usage equals what
billing would charge if the period ended now.
"""
