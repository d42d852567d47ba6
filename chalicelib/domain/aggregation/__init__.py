"""From events to units. Source: rules/usage 3."""
