"""Collection: invoices charged through payment providers.

Keeps true: each invoice is collected once, whatever crashes or stays without an answer; what was asked of a provider is written
before the call and never changes afterwards; an invoice's status is what the provider says, and what it says now, not earlier.
"""
