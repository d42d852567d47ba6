"""Connections: an organization's accounts with payment providers.

Owns the secrets of calls and of events, sealed under the organization and the connection, and the endpoint that is registered
at the provider. Keeps true: a code names one live connection; a secret is in no answer, log or error; a request to connect that
was cut off and comes again registers no second endpoint.
"""
