"""The generic part of catalog resources: create, list, find, update and destroy exist once.

A resource differs in its fields and rules only; it hands those in, and gets the five routes of the API.
"""
