"""Audit: recounts usage from raw events, rebuilds rollups, exports events, and finds events that came too late.

Owns no records. Keeps true: what it recounts comes from raw events alone, never from the rollups that it checks.
"""
