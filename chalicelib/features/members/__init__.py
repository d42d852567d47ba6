"""Members: the people who use the console, with their passwords, sessions, memberships and invitations.

Owns users (one per e-mail, of however many organizations), who belongs to which organization, and what proves it: sessions,
links of invitations and of new passwords. Does not own organizations, nor cookies, pages and CSRF checks. Keeps true: no item
contains a password or the token of a session or link; whoever removes a member is one, so that no organization loses its
last; an ended session is of no use from the next request on. `now` is real time everywhere: people do not live by test clocks.
"""
