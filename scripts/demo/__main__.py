"""The demo, step by step."""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from lago_python_client.models import BatchEvent, BillableMetric, Customer, Event, Subscription
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scripts.demo import flights, recompute, report
from scripts.demo.api import Api, LocalStack
from scripts.demo.flights import NEW_YORK, Departure

BATCH = 100
# Every so many batches one is sent twice, as a client does whose answer got lost. It must change nothing.
SENT_TWICE_EVERY = 20
DOCUMENTS = Path(".local/demo")

console = Console()


def main() -> int:
    """Bill the months; 0 when every cent agrees with the recomputation."""
    months = int(os.environ.get("MONTHS", "1"))
    expected = recompute.bills(months)
    carriers = sorted({carrier for carrier, _ in expected})
    stack = LocalStack()
    try:
        api = stack.organization()
        console.print(f"1. A new sandbox organization, with {len(carriers)} airlines, two metrics, a plan and a tax.")
        describe(api, carriers)
        console.print(f"2. Departures from New York, as events; then the clock moves on. Months: {months}.")
        by_month: dict[int, list[Departure]] = {}
        for departure in flights.departures(months):
            by_month.setdefault(departure.at.astimezone(NEW_YORK).month, []).append(departure)
        differences: list[str] = []
        for month in range(1, months + 1):
            send(api, by_month[month], month)
            differences += compare_usage(api, carriers, month, expected)
            api.move_clock(local_midnight(2013 + month // 12, month % 12 + 1))
            differences += compare_invoices(api, month, expected)
        document = open_one(api)
        say_where_it_is(api, document, still_running=stack.was_running)
    finally:
        stack.stop()
    for difference in differences:
        console.print(f"[red]{difference}", soft_wrap=True)
    if not differences:
        console.print(f"[green]Every cent of {len(expected)} invoices agrees with the recomputation from the file.")
    return 1 if differences else 0


def describe(api: Api, carriers: Sequence[str]) -> None:
    """Products of the authority, and their customers."""
    api.call("PUT", "/test_clock", {"test_clock": {"now": local_midnight(2013, 1)}})
    address = {
        "address_line1": "4 World Trade Center",
        "city": "New York",
        "state": "NY",
        "zipcode": "10007",
        "country": "US",
    }
    settings = {"timezone": "America/New_York", "legal_name": "New York Airports Authority", **address}
    settings["billing_configuration"] = {"invoice_footer": "Thank you for flying from New York."}  # type: ignore[assignment]
    api.call("PUT", "/organizations", {"organization": settings})
    tax = {
        "name": "Sales tax",
        "code": "sales_tax",
        "rate": str(recompute.TAX_PERCENT),
        "applied_to_organization": True,
    }
    api.call("POST", "/taxes", {"tax": tax})
    count = api.client.billable_metrics.create(
        BillableMetric(name="Departures", code="departures", aggregation_type="count_agg", recurring=False)
    )
    miles = api.client.billable_metrics.create(
        BillableMetric(name="Miles", code="miles", aggregation_type="sum_agg", field_name="distance", recurring=False)
    )
    charges = [
        {"billable_metric_id": metric.lago_id, "charge_model": "standard", "properties": {"amount": str(price)}}
        for metric, price in ((count, recompute.PRICE_PER_DEPARTURE), (miles, recompute.PRICE_PER_MILE))
    ]
    plan: dict[str, Any] = {
        "name": "Landing rights",
        "code": "landing_rights",
        "interval": "monthly",
        "charges": charges,
    }
    plan |= {"amount_cents": recompute.BASE_CENTS, "amount_currency": "USD", "pay_in_advance": False}
    api.call("POST", "/plans", {"plan": plan})
    for carrier in carriers:
        api.client.customers.create(Customer(external_id=carrier, name=f"Airline {carrier}", currency="USD"))
        api.client.subscriptions.create(
            Subscription(external_customer_id=carrier, plan_code="landing_rights", external_id=f"{carrier}-2013")
        )


def send(api: Api, departures: Sequence[Departure], month: int) -> None:
    """All departures of a month, two events each (one per metric), in batches through the official client."""
    events = [
        Event(
            transaction_id=f"{departure.transaction_id}-{code}",
            external_subscription_id=f"{departure.carrier}-2013",
            code=code,
            timestamp=departure.at.timestamp(),
            properties={"distance": departure.distance},
        )
        for departure in departures
        for code in ("departures", "miles")
    ]
    batches = [events[n : n + BATCH] for n in range(0, len(events), BATCH)]
    batches += batches[::SENT_TWICE_EVERY]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.monotonic()
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(4) as pool:
        bar = progress.add_task(f"Events of {datetime(2013, month, 1, tzinfo=UTC):%B}", total=len(batches))
        for _ in pool.map(lambda batch: api.client.events.batch_create(BatchEvent(events=batch)), batches):
            progress.advance(bar)
    rate = len(events) / (time.monotonic() - started)
    console.print(f"{len(events):,} events in {len(batches):,} batches, {rate:,.0f} a second")


def compare_usage(
    api: Api, carriers: Sequence[str], month: int, expected: dict[tuple[str, int], recompute.Bill]
) -> list[str]:
    """Current usage just before the month ends, against the file. Waits for events still on their way."""
    end = time.monotonic() + 600
    while True:
        differences = []
        for carrier in carriers:
            path = f"/customers/{carrier}/current_usage?external_subscription_id={carrier}-2013"
            usage = api.call("GET", path)["customer_usage"]
            bill = expected[(carrier, month)]
            found = {
                c["billable_metric"]["code"]: (float(c["units"]), c["amount_cents"]) for c in usage["charges_usage"]
            }
            wanted = {
                "departures": (bill.departures, bill.departures_cents),
                "miles": (bill.miles, bill.miles_cents),
            }
            if found != wanted:
                differences.append(f"current usage of {carrier} in month {month}: {found}, expected {wanted}")
        if not differences or time.monotonic() > end:
            return differences
        time.sleep(1)


def compare_invoices(api: Api, month: int, expected: dict[tuple[str, int], recompute.Bill]) -> list[str]:
    """The month's invoices as a table, and what differs from the file."""
    day = f"{2013 + month // 12}-{month % 12 + 1:02d}-01"
    found = api.call("GET", f"/invoices?per_page=100&issuing_date_from={day}&issuing_date_to={day}")["invoices"]
    rows: list[report.Row] = []
    differences = []
    for summary in sorted(found, key=lambda invoice: str(invoice["customer"]["external_id"])):
        carrier = summary["customer"]["external_id"]
        bill = expected[(carrier, month)]
        invoice = api.client.invoices.find(summary["lago_id"])
        fees = {fee.item.code: fee for fee in invoice.fees.__root__}
        row = [
            *(_units(fees, code) for code in ("departures", "miles")),
            *(_amount(fees, code) for code in ("landing_rights", "departures", "miles")),
            invoice.taxes_amount_cents,
            invoice.total_amount_cents,
        ]
        wanted = [bill.departures, bill.miles, bill.base_cents, bill.departures_cents, bill.miles_cents, bill.tax_cents]
        if row != [*wanted, bill.total_cents]:
            differences.append(f"invoice of {carrier} for month {month}: {row}, expected {[*wanted, bill.total_cents]}")
        rows.append(report.Row(invoice.number, carrier, row[0], row[1], row[2:]))
    print("\n".join(report.table(f"Invoices of {day}", rows, shutil.get_terminal_size().columns)), flush=True)
    missing = {carrier for carrier, of in expected if of == month} - {i["customer"]["external_id"] for i in found}
    return differences + [f"no invoice of {carrier} for month {month}" for carrier in sorted(missing)]


def _units(fees: dict[str, Any], code: str) -> int:
    return int(float(fees[code].units)) if code in fees else 0


def _amount(fees: dict[str, Any], code: str) -> int:
    return int(fees[code].amount_cents) if code in fees else 0


def open_one(api: Api) -> Path | None:
    """The document behind one invoice's download link, kept as a file."""
    newest = api.call("GET", "/invoices?per_page=1")["invoices"][0]
    end = time.monotonic() + 180
    while (invoice := api.client.invoices.download(newest["lago_id"])) is None:
        if time.monotonic() > end:
            console.print("[yellow]The document is not printed yet (WeasyPrint's native libraries may be missing).")
            return None
        time.sleep(1)
    document = requests.get(invoice.file_url, timeout=60)
    document.raise_for_status()
    if not document.content.startswith(b"%PDF"):
        raise RuntimeError("the link does not lead to a PDF")
    DOCUMENTS.mkdir(parents=True, exist_ok=True)
    place = DOCUMENTS.resolve() / f"{invoice.number}.pdf"
    place.write_bytes(document.content)
    return place


def say_where_it_is(api: Api, document: Path | None, *, still_running: bool) -> None:
    """Print the places at which to look at the results."""
    lines = ["3. Where things are:"]
    if document is not None:
        lines.append(f"   An invoice as PDF   {document}")
    lines.append(f"   API                 {api.base}/api/v1" + ("" if still_running else " (make run starts it again)"))
    lines.append(f"   API key             {api.key} (of this demo's organization)")
    lines.append(f'   All its invoices    curl -s "{api.base}/api/v1/invoices" -H "Authorization: Bearer {api.key}"')
    lines.append("   What it computes    docs/demo.md; make reset removes all of it")
    print("\n".join(lines), flush=True)


def local_midnight(year: int, month: int) -> str:
    """The first instant of a month in New York, in UTC."""
    return datetime(year, month, 1, tzinfo=NEW_YORK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
