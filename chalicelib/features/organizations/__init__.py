"""Organizations: the companies that bill with Tollgate, with their settings and API keys.

Owns the organization record (settings for documents, billing defaults, time zone) and its keys. Does not own customers, taxes
or members; other slices read settings through `service.get`.
Keeps true: an organization and its first key exist together or not at all.
"""
