"""From events to units. Source: usage.md section 3."""
