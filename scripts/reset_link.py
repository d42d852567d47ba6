"""`make reset-link EMAIL=<e-mail>`: print a link with which its user chooses a new password, once and within an hour.

Against AWS with the credentials of the environment (STAGE=... PUBLIC_URL=...), else against the local stack that runs
(PORT=...).
"""

import os
import sys

from scripts.endpoint import use_local_stack_unless_stage


def main() -> int:
    """Make the link, and print it."""
    email = os.environ.get("EMAIL", "").strip()
    if not email:
        print("EMAIL is needed: of the user who has forgotten the password.")
        return 2
    if os.environ.get("STAGE") and not os.environ.get("PUBLIC_URL"):
        print("PUBLIC_URL is needed with STAGE: the address of the API, with which the link begins.")
        return 2
    use_local_stack_unless_stage()
    return report(email)


def report(email: str) -> int:
    """Make the link, print it, and say by a number how it went."""
    from chalicelib.domain.errors import NotFound
    from chalicelib.features.members import resets
    from chalicelib.platform import clock

    try:
        token = resets.make_link(email, now=clock.utc_now())
    except NotFound:
        print(f"No user has the e-mail {email}.")
        return 1
    print(resets.url(token))
    return 0


if __name__ == "__main__":
    sys.exit(main())
