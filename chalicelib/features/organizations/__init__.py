"""Organizations: the companies that bill with Tollgate, with their settings and API keys.

Owns the organization record (settings for documents, billing defaults, time zone), its keys and its invitation of the
first member. Does not own customers or taxes; other slices read settings through `service.get`.
Keeps true: an organization and its first key exist together or not at all.
"""
