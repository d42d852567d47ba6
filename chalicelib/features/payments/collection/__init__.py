"""Collection: invoices charged through payment providers, each exactly once."""
