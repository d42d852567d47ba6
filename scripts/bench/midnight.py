"""The run at midnight: customers in 40 time zones, each billed once at its own midnight, calm and disturbed.

Real organizations (no sandbox) on the app's own handlers; simulated are the clock, SQS and the drawing of PDFs
(tests/support/simulation.py). What it costs, and what it would cost at 100,000, is in scripts/bench/scale.py.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib import wiring
from chalicelib.features.customers import service as customers
from chalicelib.platform import agenda, auth, queues
from chalicelib.platform.settings import settings
from chalicelib.platform.values import to_item
from tests.support import capacity
from tests.support.items import core
from tests.support.simulation import QUARTER, Costs, Disturbance, Simulation, simulated
from tests.support.story import Story, request
from tests.support.usage import event, message

# From the first to the last place on Earth at which a day begins: whole hours, halves and quarters.
# fmt: off
ZONES = (
    "Pacific/Kiritimati", "Pacific/Chatham", "Pacific/Auckland", "Pacific/Fiji", "Pacific/Norfolk",
    "Australia/Sydney", "Pacific/Noumea", "Australia/Adelaide", "Australia/Brisbane", "Australia/Darwin",
    "Asia/Tokyo", "Australia/Eucla", "Asia/Shanghai", "Asia/Bangkok", "Asia/Yangon", "Asia/Dhaka", "Asia/Kathmandu",
    "Asia/Kolkata", "Asia/Karachi", "Asia/Kabul", "Asia/Dubai", "Asia/Tehran", "Europe/Moscow", "Africa/Cairo",
    "Europe/Paris", "Europe/London", "Atlantic/Azores", "America/Noronha", "America/Sao_Paulo", "America/St_Johns",
    "America/Halifax", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
    "America/Anchorage", "Pacific/Marquesas", "Pacific/Honolulu", "Pacific/Pago_Pago", "Etc/GMT+12",
)
# fmt: on
_YEAR = 2030  # Any; far enough for no event to expire meanwhile.
_MONTH_CENTS, _EVENT_CENTS, _EVENTS, _TAX_PERCENT = 3100, 25, 2, 20
_SILENCE = timedelta(hours=6)  # The scheduler is out so long in a disturbed night.


@dataclass
class Seller:
    """An organization and what it sold. `due`: external ids of monthly subscriptions, by customer; `idle`: customers
    who subscribe by the year, and owe nothing at these midnights."""

    story: Story
    zones: Sequence[str]
    due: dict[str, list[str]] = field(default_factory=dict)
    idle: int = 0

    @classmethod
    def begin(cls, zones: Sequence[str], **settings_of: str) -> "Seller":
        """An organization in real time with a tax, a metric, a plan of a month with a charge, and one of a year."""
        key = {"X-Admin-API-Key": settings().admin_api_key}
        made = request("POST", "/admin/organizations", {"name": "Night", "email": "night@example.com"}, key)
        story = Story(made.body["api_key"])
        # Invoices become overdue on other days: after all nights here, so that each is the work of its own invoices.
        story.organization(document_number_prefix="NIGHT", net_payment_term=180, **settings_of)
        tax = {"name": "VAT", "code": "vat", "rate": str(_TAX_PERCENT), "applied_to_organization": True}
        story.ok("POST", "/taxes", {"tax": tax})
        charge = {"billable_metric_id": story.metric()["lago_id"], "charge_model": "standard"}
        story.plan("month", [{**charge, "properties": {"amount": "0.25"}}], amount_cents=_MONTH_CENTS)
        story.plan("year", interval="yearly", amount_cents=12 * _MONTH_CENTS)
        return cls(story, zones)

    def subscribe(self, number: int) -> None:
        """So many customers more, over all zones in turn; every third has two subscriptions."""
        for n in range(number):
            customer = f"c{len(self.due):05d}"
            self.story.customer(customer, timezone=self.zones[n % len(self.zones)])
            self.due[customer] = [f"{customer}-{m}" for m in range(2 if n % 3 == 0 else 1)]
            for external_id in self.due[customer]:
                self._subscribe("month", external_id, customer)

    def subscribe_idle(self, number: int) -> None:
        """So many customers more who exist but owe nothing at these midnights."""
        for n in range(number):
            customer = f"idle{self.idle:05d}"
            self.story.customer(customer, timezone=self.zones[n % len(self.zones)])
            self._subscribe("year", customer, customer)
            self.idle += 1

    def use(self, month: int) -> None:
        """Two events of each monthly subscription on two days of a month, through the meter."""
        organization = auth.identify({"authorization": f"Bearer {self.story.api_key}"})
        at = datetime(_YEAR, month, 10, 12, tzinfo=UTC)
        events = [
            event(f"{external_id}-{month}-{n}", at + timedelta(days=n), sub=external_id)
            for external_id in itertools.chain(*self.due.values())
            for n in range(_EVENTS)
        ]
        for start in range(0, len(events), 100):
            assert wiring.meter([message(events[start : start + 100], organization)]) == {"batchItemFailures": []}

    def invoices(self, month: int) -> list[dict[str, Any]]:
        """The invoices dated the first of a month, with everything, by number."""
        found = self.story.ok("GET", "/invoices?per_page=1000")["invoices"]
        of_day = [invoice for invoice in found if invoice["issuing_date"] == f"{_YEAR}-{month:02d}-01"]
        return [
            self.story.ok("GET", f"/invoices/{invoice['lago_id']}")["invoice"]
            for invoice in sorted(of_day, key=lambda invoice: str(invoice["number"]))
        ]

    def _subscribe(self, plan: str, external_id: str, customer: str) -> None:
        # From the December before, so that every month here is owed as a whole, wherever it begins.
        self.story.subscribe(plan, external_id, customer, subscription_at=f"{_YEAR - 1}-12-15T00:00:00Z")


@dataclass
class Findings:
    """Results of the nights. Costs of calm ones: `once` with N customers due, `idle` with as many more that are not,
    `twice` with 2 N due. `wrong`: invoices that are not as they must be; `differing`: those that came out otherwise in
    the disturbed night; `sequence`: the numbers of one sequence drawn in it."""

    zones: Sequence[str]
    customers: int
    subscriptions: int
    once: Costs
    idle: Costs
    twice: Costs
    disturbed: Simulation
    wrong: list[str]
    differing: int
    sequence: list[str]
    task_bytes: int

    @property
    def holes(self) -> int:
        """Number of missing and of doubled numbers in the one sequence."""
        numbers = Counter(int(number.rpartition("-")[2]) for number in self.sequence)
        return sum((numbers - Counter(range(1, len(self.sequence) + 1))).values())


def simulate(number: int, zones: Sequence[str] = ZONES) -> Findings:
    """Three calm midnights of one organization, then a disturbed one of two others, the first of them with the same
    customers as the calm one had at its first midnight."""
    begin = datetime(_YEAR, 1, 5, tzinfo=UTC)
    for queue in ("events", "jobs", "documents", "webhooks"):
        queues.url(str(getattr(settings(), f"{queue}_queue")))  # Looked up once per process, not part of any night.
    with simulated(begin) as simulation:
        calm = Seller.begin(zones)
        calm.subscribe(number)
        subscriptions = sum(map(len, calm.due.values()))
        once = _night(simulation, 2, calm)
        found = calm.invoices(2)
        wrong = faults(calm, 2, found)
        calm.subscribe_idle(number)
        idle = _night(simulation, 3, calm)
        wrong += faults(calm, 3, calm.invoices(3))
        calm.subscribe(number)
        twice = _night(simulation, 4, calm)
        wrong += faults(calm, 4, calm.invoices(4))
        task_bytes = _task_bytes(calm)

    with simulated(begin) as night:
        same, other = Seller.begin(zones), Seller.begin(zones, document_numbering="per_organization")
        same.subscribe(number)
        other.subscribe(number // 2)
        _night(night, 2, same, other, disturbance=Disturbance(random.Random(number)))
        found_again, numbered = same.invoices(2), other.invoices(2)
        wrong += faults(same, 2, found_again) + faults(other, 2, numbered)
    wrong += [f"{task.kind.name} of {task.subject} is parked" for task in agenda.parked()]
    pairs = itertools.zip_longest(map(comparable, found), map(comparable, found_again))
    return Findings(
        zones=zones,
        customers=number,
        subscriptions=subscriptions,
        once=once,
        idle=idle,
        twice=twice,
        disturbed=night,
        wrong=wrong,
        differing=sum(one != other for one, other in pairs),
        sequence=[invoice["number"] for invoice in numbered],
        task_bytes=task_bytes,
    )


def _night(simulation: Simulation, month: int, *sellers: Seller, disturbance: Disturbance | None = None) -> Costs:
    """The midnights at which a month begins; before it the month's events are metered and what was left is worked
    off."""
    simulation.now = max(simulation.now, datetime(_YEAR, month - 1, 12, tzinfo=UTC))
    for seller in sellers:
        seller.use(month - 1)
    simulation.deliver(until=simulation.now)
    simulation.disturbance = disturbance
    zones = sellers[0].zones
    costs = simulation.run(ticks(month, zones) if disturbance is None else late_ticks(month, zones, disturbance.chance))
    simulation.disturbance = None
    return costs


def midnights(month: int, zones: Sequence[str]) -> list[datetime]:
    """Begin of each zone's first day of a month."""
    return [datetime(_YEAR, month, 1, tzinfo=ZoneInfo(name)).astimezone(UTC) for name in zones]


def ticks(month: int, zones: Sequence[str]) -> list[datetime]:
    """The quarter-hours at which somewhere a month begins, and two before. (The others find nothing, for 16
    requests.)"""
    at = sorted(set(midnights(month, zones)))
    return [at[0] - 2 * QUARTER, at[0] - QUARTER, *at]


def late_ticks(month: int, zones: Sequence[str], chance: random.Random) -> list[datetime]:
    """The same, each up to 14 minutes late, with six hours in the middle of the night without any."""
    at = ticks(month, zones)
    silent = at[len(at) // 2]
    return [t + timedelta(seconds=chance.randrange(0, 840)) for t in at if not silent <= t < silent + _SILENCE]


def faults(seller: Seller, month: int, found: Sequence[dict[str, Any]]) -> list[str]:
    """Faults of a midnight's invoices; empty when every subscription was billed once, and rightly."""
    wrong: list[str] = []
    billed = Counter(period["external_subscription_id"] for invoice in found for period in invoice["billing_periods"])
    expected = Counter(itertools.chain(*seller.due.values()))
    wrong += [f"{name} was billed {billed[name]} times" for name in billed | expected if billed[name] != expected[name]]
    if sorted(invoice["customer"]["external_id"] for invoice in found) != sorted(seller.due):
        wrong.append(f"{len(found)} invoices of {len(seller.due)} customers")
    if len({invoice["number"] for invoice in found}) != len(found):
        wrong.append("a number was given twice")
    return wrong + [f"{invoice['number']}: {fault}" for invoice in found for fault in _faults(seller, month, invoice)]


def _faults(seller: Seller, month: int, invoice: dict[str, Any]) -> Iterator[str]:
    customer = invoice["customer"]
    begins = datetime(_YEAR, month, 1, tzinfo=ZoneInfo(customer["timezone"])).astimezone(UTC)
    net = len(seller.due[customer["external_id"]]) * (_MONTH_CENTS + _EVENTS * _EVENT_CENTS)
    if invoice["total_amount_cents"] != net * (100 + _TAX_PERCENT) // 100:
        yield f"its total is {invoice['total_amount_cents']}"
    if invoice["created_at"] != f"{begins:%Y-%m-%dT%H:%M:%SZ}":
        yield f"it is of {invoice['created_at']}, not of its customer's midnight"
    last_second = f"{begins - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    if any(period["charges_to_datetime"] != last_second for period in invoice["billing_periods"]):
        yield "its usage ends elsewhere"
    if invoice["status"] != "finalized" or not invoice["file_url"]:
        yield "it is not final, or has no document"


def comparable(shown: Any) -> Any:
    """An invoice without what two organizations cannot have in common: ids, and links that hold for a while."""
    if isinstance(shown, list):
        return [comparable(each) for each in shown]
    if not isinstance(shown, dict):
        return shown
    if "external_id" in shown:
        return shown["external_id"]  # The customer, and the subscriptions as they stand today.
    return {name: comparable(value) for name, value in shown.items() if name[:5] != "lago_" and name != "file_url"}


def _task_bytes(seller: Seller) -> int:
    """The size of a customer's billing task, as the tick's index holds it."""
    organization = auth.identify({"authorization": f"Bearer {seller.story.api_key}"})
    customer = seller.story.ok("GET", f"/customers/{next(iter(seller.due))}")["customer"]
    anywhen = datetime(_YEAR, 5, 1, tzinfo=UTC)  # A customer has one billing task, wherever it stands in time.
    item = core.get(*agenda.task(customers.BILL, organization, customer["lago_id"], anywhen).key)
    assert item is not None, "the next month is planned"
    return capacity.size(to_item(item))


def idle_tick_requests(costs: Costs) -> float:
    """Requests of a tick that found nothing due."""
    return costs.of("idle tick").total / costs.number["idle tick"]
