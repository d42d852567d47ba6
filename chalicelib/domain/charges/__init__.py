"""Charge models: one module each, `(usage, properties) -> exact amount`. Source: rules/usage 5, 6."""
