"""Outgoing webhooks: endpoints of organizations, and delivery of messages to them.

Owns endpoints, messages and their delivery, and the installation's signing key. Does not own payloads: other slices
hand in the API's own representation. Keeps true: a change and its announcement are written together; a message is made
once per subscribed endpoint, its bytes never change, and it is tried until delivered or 17 attempts failed.
"""
