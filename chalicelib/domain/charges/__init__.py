"""Charge models: one module each, `(usage, properties) -> exact amount`. Source: usage.md sections 5 and 6."""
