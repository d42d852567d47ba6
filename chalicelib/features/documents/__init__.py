"""Documents: invoices as PDF files.

Owns how a document looks and in which language; takes the API's own representation of an invoice and its organization.
Does not own the invoice. Keeps true: a printed file never changes, whatever changes later.
"""
