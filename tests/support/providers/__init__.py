"""Fakes of payment providers: strict servers on 127.0.0.1, with faults on demand. They start with and without a test:

    tests/support/stripe_server.py       Stripe
    tests/support/gocardless_server.py   GoCardless

Both are no kinder than the provider: a field that its official library does not know is refused. `frame` is what they have in
common, `faults` what can go wrong, `sending` how events are sent.
"""
