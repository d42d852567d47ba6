"""The HTTP API: one file for each resource.

A route takes a call, calls one use case, and answers by a serializer. Nothing is decided here.
"""
