"""Payment requests: several overdue invoices of a customer, asked for and paid as one.

Keeps true: an invoice is in at most one payment at a time, by itself or with others; a request says what its payment says.
"""
