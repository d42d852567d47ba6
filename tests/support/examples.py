"""Number of examples per law: `EXAMPLES=20` in the environment tries each of them with twenty times as many
examples."""

import os


def examples(usual: int) -> int:
    """The number of examples, where so many are usual."""
    return usual * int(os.environ.get("EXAMPLES", "1"))
