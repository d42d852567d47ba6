"""Our side of the comparison: the heavy month metered into DynamoDB Local, and its usage as current usage reads it.

A million events through the meter take DynamoDB Local some ten minutes, most of which go into raw events inside of
transactions. So months are filled otherwise: by the meter as it is, whose transactions write all rows, but with their raw
events taken out of them and written beside, 25 at a time. That this leaves the very same items is looked at with a small
month that is filled both ways.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib import limits
from chalicelib.domain.aggregation.window import Window
from chalicelib.domain.periods import Span
from chalicelib.features.billable_metrics.records import Metric
from chalicelib.features.metering import distinct_counters, messages
from chalicelib.features.metering.event import Event, milliseconds_of
from chalicelib.features.plans import active_parts
from chalicelib.features.plans import service as plans
from chalicelib.features.plans.records import Charge
from chalicelib.features.rating import metered
from chalicelib.features.subscriptions.stream import Stream
from chalicelib.features.usage import distinct
from chalicelib.platform import agenda, auth, aws, clock
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings
from infra.local import provision
from scripts.bench import heavy
from scripts.bench.rivals import Answers
from tests.support.aws import ADMIN_KEY, forget
from tests.support.dynamodb_local import running
from tests.support.story import Story, request
from tests.support.usage import message

_EVENTS_A_MESSAGE, _MESSAGES_A_BATCH = 100, 10  # As `POST /events/batch` and the queue have them.
_SEEN_FROM = 8_000  # When somebody looks at the month first.
_ITEMS_A_REQUEST, _WRITERS, _WAITING_MAX = 25, 2, 400
_WINDOW = Window(heavy.MONTH, ZoneInfo("UTC"), 31, heavy.MONTH.start.date(), heavy.LAST_DAY)

_OPENED = re.compile(r"(?<=#adds#)[-0-9T:.]+Z")

Item = dict[str, Any]


@contextlib.contextmanager
def tables() -> Iterator[None]:
    """The app's tables on DynamoDB Local; all else of AWS where it was."""
    with running() as url:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = url
        try:
            forget()
            provision.tables(aws.client("dynamodb"), settings().stage)
            yield
        finally:
            del os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
            forget()


@dataclass(frozen=True)
class Ours:
    """A subscription with a heavy month."""

    organization: OrganizationRef
    subscription: str
    charges: Mapping[str, tuple[Charge, Metric]]

    def ask(self, questions: Sequence[str], until: datetime) -> Answers:
        """The answers to these questions about the month up to an instant, in one call."""
        window = replace(_WINDOW, span=Span(_WINDOW.span.start, until))
        chosen = [self.charges[question] for question in questions]
        found: Answers = {}
        for used in metered.used_by(self.organization, Stream(self.subscription), chosen, window):
            if used.filter is not None:
                ((cloud,), (region,)) = used.filter.values["cloud"], used.filter.values["region"]
                found[(used.metric.code, cloud, region)] = used.units
            elif used.charge.filters:
                assert used.events_count == 0, "each event has one of the combinations"
            else:
                found[(used.metric.code, "", "")] = used.units
        return found

    def fill(self, size: int) -> None:
        """Meter so many events of the month, each batch as the queue brings it."""
        events = (
            Event(
                use.transaction_id,
                self.subscription,
                use.code,
                milliseconds_of(use.at),
                {"amount": use.amount, "user_id": use.user_id, "cloud": use.cloud, "region": use.region},
            )
            for use in heavy.month(size)
        )
        metered = 0
        while batch := list(islice(events, _EVENTS_A_MESSAGE * _MESSAGES_A_BATCH)):
            parts = [batch[n : n + _EVENTS_A_MESSAGE] for n in range(0, len(batch), _EVENTS_A_MESSAGE)]
            assert messages.handle([message(part, self.organization) for part in parts]) == []
            metered += len(batch)
            if metered == _SEEN_FROM:
                self.count_distinct_values(heavy.MONTH.end)

    def count_distinct_values(self, until: datetime) -> None:
        """Somebody looks at the usage up to an instant: that opens a register, which is filled an hour later."""
        self.ask(["unique"], until)
        distinct_counters.forget()  # As all workers do within a minute.
        until = clock.utc_now() + 2 * limits.REGISTER_FILLED_AFTER
        opened = [task for shard in range(limits.DUE_SHARDS) for task in agenda.due(shard, until=until)]
        for task in opened:
            if task.kind == distinct.FILL and task.detail["subscription"] == self.subscription:
                distinct.fill(task)


@dataclass(frozen=True)
class World:
    """An organization with the four metrics, and a plan that charges them."""

    story: Story
    plan_id: str

    @classmethod
    def begin(cls) -> "World":
        """A new one."""
        made = request(
            "POST", "/admin/organizations", {"name": "Bench", "sandbox": True}, {"X-Admin-API-Key": ADMIN_KEY}
        )
        story = Story(made.body["api_key"])
        story.travel(f"{heavy.MONTH.start:%Y-%m-%dT%H:%M:%SZ}")
        charges = []
        for code, (aggregation, field_name) in heavy.QUESTIONS.items():
            own: dict[str, Any] = {"properties": {"amount": "1"}}
            listed: list[dict[str, Any]] = []
            if code == "filters":
                listed = [{"key": "cloud", "values": heavy.CLOUDS}, {"key": "region", "values": heavy.REGIONS}]
                own["filters"] = [
                    {"values": {"cloud": [cloud], "region": [region]}, "properties": {"amount": str(n)}}
                    for n, (cloud, region) in enumerate(heavy.COMBINATIONS, 1)
                ]
            metric = story.metric(code, aggregation, field_name=field_name, filters=listed)
            charges.append({"billable_metric_id": metric["lago_id"], "charge_model": "standard", **own})
        plan = story.plan(charges=charges)
        story.customer()
        return cls(story, plan["lago_id"])

    def subscription(self, external_id: str) -> Ours:
        """A new one, without usage."""
        self.story.subscribe(external_id=external_id)
        organization = auth.identify({"authorization": f"Bearer {self.story.api_key}"})
        plan = plans.by_ids(organization.id, [self.plan_id])[self.plan_id]
        pairs = active_parts.live_charges(plan, active_parts.metrics_of(organization.id, [plan]))
        return Ours(organization, external_id, {metric.code: (charge, metric) for charge, metric in pairs})


@contextlib.contextmanager
def raw_events_beside() -> Iterator[None]:
    """Meanwhile the meter's transactions write all but raw events; all of these are there at the end."""
    real = aws.client
    with _Beside() as beside:
        aws.client = lambda messages, use="standard": _Filling(real(messages, use), beside)  # type: ignore[assignment]
        try:
            yield
        finally:
            aws.client = real


class _Filling:
    """A client whose transactions leave raw events to another. All of a month's events are new, and nobody else writes: so
    their conditions would hold."""

    def __init__(self, client: Any, beside: "_Beside") -> None:
        self._client, self._beside = client, beside

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, TransactItems: Sequence[Item]) -> None:
        """Carry out the rows' part."""
        raw = [action["Put"] for action in TransactItems if "transaction_id" in action.get("Put", {}).get("Item", {})]
        rest = [action for action in TransactItems if "transaction_id" not in action.get("Put", {}).get("Item", {})]
        try:
            self._client.transact_write_items(TransactItems=rest)
        except self._client.exceptions.TransactionCanceledException as error:
            raise AssertionError("nobody else writes, so nothing cancels a transaction") from error
        for put in raw:
            self._beside.write(put["TableName"], put["Item"])


class _Beside:
    """Writes items in requests of 25, some at once."""

    def __init__(self) -> None:
        self._pool, self._writing, self._items = ThreadPoolExecutor(_WRITERS), set[Future[None]](), list[Item]()
        self._client = aws.client("dynamodb")

    def __enter__(self) -> "_Beside":
        return self

    def __exit__(self, *_: object) -> None:
        with self._pool:
            self._send()
            self._settle(at_most=0)

    def write(self, table: str, item: Item) -> None:
        """Soon."""
        self._table = table
        self._items.append(item)
        if len(self._items) == _ITEMS_A_REQUEST:
            self._send()
            self._settle(at_most=_WAITING_MAX)

    def _send(self) -> None:
        if self._items:
            self._writing.add(self._pool.submit(self._put, self._table, self._items))
            self._items = []

    def _settle(self, *, at_most: int) -> None:
        """Wait until so many requests are on their way; what failed raises."""
        while len(self._writing) > at_most:
            done, self._writing = wait(self._writing, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()

    def _put(self, table: str, items: Sequence[Item]) -> None:
        answer = self._client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}} for item in items]})
        assert not answer.get("UnprocessedItems"), "DynamoDB Local takes all"


def items_of(ours: Ours) -> list[Item]:
    """All items of the usage table that are of this subscription, in DynamoDB's form and in order of key; without its
    name, and without what is made of the time of metering: the name of the log item that lists an event, and when a
    register was opened and expires."""
    found: list[Item] = []
    for page in aws.client("dynamodb").get_paginator("scan").paginate(TableName=settings().usage_table):
        for item in page["Items"]:
            if f"#{ours.subscription}#" in f"#{item['pk']['S']}#{item['sk']['S']}#":
                item.pop("log", None)
                item.pop("expires_at", None)
                found.append(_renamed(item, ours.subscription))
    return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def _renamed(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(inner, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, name) for inner in value]
    return _OPENED.sub("<opened>", value.replace(name, "<subscription>")) if isinstance(value, str) else value
