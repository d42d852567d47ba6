"""Run all of the benchmark, print it, and write docs/benchmarks.md. Fails when a bound is not kept."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from infra.local.emulator import Emulator, environment, free_port

_PAGE = Path("docs/benchmarks.md")
_CUSTOMERS = 40  # Due at a simulated midnight: one in each zone; what a minute or two is enough for.
_DRAFTS = 1_000  # Drafts of one sequence, finalized at once.


def main() -> int:
    """0 when every bound holds. `recount 10000 100000`: only reading against recounting, printed, with so many events."""
    if sys.argv[1:2] == ["recount"]:
        with _emulator():
            from scripts.bench import recount

            compared = recount.compare([int(size) for size in sys.argv[2:]] or recount.SIZES)
        print(compared.section)
        return 0 if all(row.kept for row in compared.rows) else 1
    with _emulator():
        from scripts.bench import billing, documents, metering, money, start, tables

        counted = [*billing.requests(), *money.rows(), *metering.costs(), *billing.reading(), *start.rows()]
        counted += [*documents.rows(), money.numbers(_DRAFTS)]
        timed, profile = metering.speed()
    with _emulator():
        from scripts.bench import busiest, isolation, webhooks

        told = [*webhooks.rows(), *busiest.rows(), isolation.row()]
    with _emulator():
        from scripts.bench import lists

        listed = lists.rows()
    with _emulator():  # The simulated year begins with nothing due.
        from scripts.bench import midnight, scale

        found = midnight.simulate(_CUSTOMERS)
    with _emulator():
        from scripts.bench import hot

        crowded, hot_section = hot.section()
    with _emulator():
        from scripts.bench import recount

        compared = recount.compare()
    nights, scaled = scale.bounds(found), scale.at_scale(found)
    page = _page(
        tables.markdown(counted), _midnight(tables.markdown(nights), scale.parts(found), tables.markdown(scaled))
    )
    page += (
        _told(tables.markdown(told))
        + _lists(tables.markdown(listed))
        + hot_section
        + compared.section
        + _timed(tables.markdown(timed), profile)
    )
    _PAGE.write_text(page)
    print(page)
    broken = [
        row.work
        for row in (*counted, *told, *listed, *nights, *scaled, *crowded, *compared.rows, *timed)
        if not row.kept
    ]
    for text in (*found.wrong[:20], *(f"Bound not kept: {work}" for work in broken)):
        print(text, file=sys.stderr)
    return 1 if broken else 0


@contextlib.contextmanager
def _emulator() -> Iterator[None]:
    """A fresh AWS on this machine, with everything provisioned."""
    emulator = Emulator(free_port(), None, Path(".local/bench.log"))
    try:
        emulator.wait_until_up()
        from tests.support.aws import ADMIN_KEY, forget

        os.environ.update(environment(emulator.url, 8000, LOG_LEVEL="ERROR", ADMIN_API_KEY=ADMIN_KEY))
        from chalicelib.platform import aws
        from chalicelib.platform.settings import settings
        from infra.local import provision

        forget()
        provision.tables(aws.client("dynamodb"), "local")
        provision.queues(aws.client("sqs"), "local")
        provision.files(aws.client("s3"), "local", settings().files_bucket)
        provision.key(aws.client("kms"), "local")
        yield
    finally:
        emulator.stop()


def _page(counted: str, midnight: str) -> str:
    return f"""# Benchmarks

Written by `make bench` on {datetime.now(UTC).date().isoformat()}. Requests and capacity units are counted at the client by
AWS's documented rules (1 KB per write unit, 4 KB per read unit, twice in a transaction, once more per index touched); they do
not depend on the machine. Each bound in these tables must hold: `make bench` fails where one does not. Three bounds are tests
alone: an invoice of 2,000 fees is issued whole or not at all, whichever of its writes is the last
(tests/scenarios/test_large_invoices.py), a document that somebody asks for while 1,000 wait is there within 3 times the
time of one alone (tests/scenarios/test_fairness.py), and collecting an invoice through a provider takes 9 requests (at most
12) and one call of the provider, whoever listens (tests/features/payments/test_collection.py).

{counted}
{midnight}"""


def _midnight(nights: str, parts: str, scaled: str) -> str:
    return f"""
## Midnight

Customers in 40 time zones, from Kiritimati to the date line, are billed at their own midnights by the app's own handlers:
the tick finds what is due in the 16 shards of the agenda and has it pushed, workers bill it, tell of it and print it.
Simulated are the clock, SQS and the drawing of PDFs; all else is asked of ministack. (Ticks at quarter-hours at which no day
begins anywhere are left out: they find nothing, for 16 requests.) Every invoice is checked: one per customer, each
subscription on one, up to the customer's midnight to the second, with the right total, a number of its own and a document.

Then the first midnight is run again with the same customers in another organization, disturbed: six hours without ticks, the
others late, some of them double or in parallel; a fifth of the messages lost, three in ten doubled, and two workers at
once, of which chance lets one go on at every single request. Nothing but ids may differ.

{nights}

What an invoice asks for, part by part:

{parts}

**At 100,000.** The work of an invoice does not depend on how many are due, nor on how many customers exist, and a tick
costs 16 requests, whatever exists. So these are the counts above times 100,000 subscriptions in 40 zones, each of a customer of
its own; finding and pushing them is counted by the shards that 100,000 ids really fall into. List prices: $1.25 a million write
units, $0.25 a million read units, $0.40 a million requests to SQS, $5 a million files stored in S3. Emulators show no
conflicts between transactions: each one that happens on AWS repeats a transaction.

{scaled}
"""


def _told(told: str) -> str:
    return f"""
## Webhooks

An invoice with all that follows: billing, issuing, printing, and telling each endpoint that it was created and printed. Units
are counted here by the items as they are before and after each write (tests/support/exact.py): how large an item is that a
change touches, each index that it is in, and what a deletion takes out of them. For the busiest key an organization is
billed at one midnight by workers who manage a hundred invoices a second, in simulated time; the figure is that of the
busiest second. Endpoints that answer at once are simulated; how they hold each other up is measured over HTTP, with messages
that are numbered already, and ten workers as in the local stack; an attempt's deadline is two seconds there.

{told}
"""


def _lists(listed: str) -> str:
    return f"""
## Lists

What a page costs with a thousand rows before it and with many, and as many requests as it takes, on DynamoDB Local: it
answers in pages of 1 MB, as DynamoDB does. Pages are walked in turn; each has a hundred rows. Invoices and fees of some dates
are found by their keys. What any other filter leaves is counted by walking, a request for each MB of rows, and who walks on
from page to page has the total of the first. Of events the days are counted already; a filter by code, or a range of time
within a day, reads the log of those days: 1 MB holds some 35,000 events.

{listed}
"""


def _timed(timed: str, profile: str) -> str:
    return f"""
## Time

The following depend on the machine; they are here to compare with each other.

{timed}

Where the time of `meter` goes (two batches of 1,000 events on ministack, by own time):

```
{profile}
```
"""


if __name__ == "__main__":
    sys.exit(main())
