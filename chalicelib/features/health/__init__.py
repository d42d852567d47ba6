"""Whether the service answers, and which version it is."""
