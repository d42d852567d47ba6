"""Inbound: what payment providers tell. Each event is verified, stored once, answered at once, and applied by a task."""
