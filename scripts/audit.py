"""`make audit`: recount raw events and compare every hour row and every daily rollup. Exit 1, and a list, on differences.
Events that came after the invoice of their period was final are listed too: they are counted and billed to nobody.

ORGANIZATION=<id> looks at one organization; with SUBSCRIPTION=<external id> at one subscription of it, without reading the
whole table. REBUILD=1 (`make rebuild`) makes the rows that differ anew from raw events, and looks again. Against AWS with the
credentials of the environment (STAGE=...), else against the local stack that runs.
"""

import os
import sys

from scripts.endpoint import use_local_stack_unless_stage


def main() -> int:
    """Print one line per difference."""
    use_local_stack_unless_stage()
    rebuilds = os.environ.get("REBUILD") == "1"
    return report(os.environ.get("ORGANIZATION"), os.environ.get("SUBSCRIPTION"), rebuilds=rebuilds)


def report(organization_id: str | None, subscription: str | None, *, rebuilds: bool = False) -> int:
    """Look, print, and say by a number how it went."""
    from chalicelib.features.audit import late
    from chalicelib.features.audit.audit import audit
    from chalicelib.features.audit.rebuild import rebuild
    from chalicelib.platform import clock
    from chalicelib.platform.timestamps import iso_millis

    if subscription and not organization_id:
        print("SUBSCRIPTION needs its ORGANIZATION")
        return 2
    found = audit(now=clock.utc_now(), organization_id=organization_id or None, subscription=subscription or None)
    for each in found:
        print(f"{each.partition}  {each.place}  {each.code}  {each.found}")
    print(f"{len(found)} differences")
    if found and rebuilds:
        print(f"{rebuild(found, now=clock.utc_now())} places made anew")
        return report(organization_id, subscription)
    missed = 0
    for event in late.listed(organization_id or None, subscription or None):
        missed += 1
        place = f"{event.organization_id}  {event.external_subscription_id}  {event.transaction_id}  {event.code}"
        times = f"{iso_millis(event.at)}  received {iso_millis(event.received_at)}"
        print(f"{place}  {times}  after {event.invoice_number}")
    if missed:
        print(f"{missed} events came too late to be billed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
