"""Documents: invoices, credit notes and payment receipts as PDF files.

Owns how a document looks and in which language; takes the API's own representation of an object and its organization,
so that every amount on it is the API's. Does not own the object. Keeps true: a printed file never changes, whatever
changes later, but that a void marks it; nothing is fetched while drawing.
"""
