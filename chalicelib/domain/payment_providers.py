"""The payment providers there are, by the name that `payment_provider` has in the API: the one place that names them."""

_HERE = "chalicelib.features.payments.providers"

# Those that we speak to, each with the module that has its `PROVIDER`.
MODULES: dict[str, str] = {
    "stripe": f"{_HERE}.stripe",
    "gocardless": f"{_HERE}.gocardless",
}
# Names of the published API that customers may have too: they are charged by hand.
_BY_HAND = ("adyen", "cashfree", "flutterwave", "moneyhash")


def names() -> list[str]:
    """All names that a customer may have."""
    return list(dict.fromkeys([*MODULES, *_BY_HAND]))
