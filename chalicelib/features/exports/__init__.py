"""Exports: lists of the API as files for spreadsheets.

Owns which columns a file has and how a cell is written. Does not own the rows: they are those of the API's own list. Keeps
true: no cell is a formula, amounts and instants are exact, and nothing stands in a file that the API does not show.
"""
