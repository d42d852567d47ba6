"""Reading against recounting: usage of a heavy subscription read from what the meter kept, and counted anew by
databases.

All get the same events and the same questions, and have to give the same answers before any time is taken. Times are
taken in turn, one question of each after the other, so that whatever else the machine does strikes all alike.
"""

import contextlib
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from scripts.bench import heavy, ours, rivals
from scripts.bench.ours import World
from scripts.bench.rivals import Answers, Rival
from scripts.bench.tables import Row, markdown
from tests.support.capacity import Meter, counting

SIZES = (10_000, 100_000, 1_000_000)
_OURS = "Tollgate"
_BOTH_WAYS = 10_000
_WARM_UP, _ROUNDS = 6, 15
_SECONDS_MAX = 20  # For one question: who is slow is asked fewer times.

_FOUR = tuple(heavy.QUESTIONS)
_SHOWN = {
    "sum": "sum",
    "max": "maximum",
    "unique": "unique count",
    "filters": f"sum by {len(heavy.COMBINATIONS)} filters",
}

Ask = Callable[[], Answers]


@dataclass
class Size:
    """Times for a number of events. `alone`: milliseconds by question and by system; `together`: of all four at
    once; `cut`: the same up to an instant within an hour. `read`: what ours asked of DynamoDB for the four, and `first`
    the milliseconds of the first such read, which compacts days."""

    events: int
    alone: dict[str, dict[str, float]] = field(default_factory=dict)
    together: dict[str, float] = field(default_factory=dict)
    cut: dict[str, float] = field(default_factory=dict)
    read: Meter = field(default_factory=Meter)
    read_cut: Meter = field(default_factory=Meter)
    first: float = 0

    @property
    def in_turn(self) -> dict[str, float]:
        """The four questions one after the other."""
        return {name: sum(of[name] for of in self.alone.values()) for name in self.together}

    def four(self, name: str) -> float:
        """The four by the faster way."""
        return min(self.in_turn[name], self.together[name])


@dataclass(frozen=True)
class Comparison:
    """Results, from the fewest events to the most. `differing`: items that the two ways of filling leave
    otherwise."""

    sizes: Sequence[Size]
    differing: int

    @property
    def rows(self) -> list[Row]:
        """Bounds, and their measured values."""
        few, many = self.sizes[0], self.sizes[-1]
        fastest = min(many.four(name) for name in many.together if name != _OURS)
        at, against = f"at {many.events:,} events", f"at {many.events:,} events against {few.events:,}"
        units = many.read.read_units / few.read.read_units
        return [
            Row(f"four metrics {at}: ours against the faster of the others", "times", many.four(_OURS) / fastest, 1),
            Row(f"four metrics: our read units {against}", "times", units, 1.05),
            Row(f"four metrics: our read units {at}", "read units", many.read.read_units, None),
            Row(f"four metrics: our requests {at}", "requests", many.read.total, None),
            Row(f"four metrics: our time {against}", "times", many.four(_OURS) / few.four(_OURS), None),
            Row(f"four metrics: our first read {at}, which folds days", "ms", many.first, None),
            Row(
                f"up to an instant within an hour: our read units {against}",
                "times",
                many.read_cut.read_units / few.read_cut.read_units,
                None,
            ),
            Row("items that differ where raw events are metered as always", "items", self.differing, 0),
        ]

    @property
    def section(self) -> str:
        """The section of docs/benchmarks.md."""
        return _SECTION.format(times=_times(self.sizes), rows=markdown(self.rows))


def compare(sizes: Sequence[int] = SIZES) -> Comparison:
    """Fill all of them with each number of events, see that they agree, and take the times."""
    with ours.tables(), rivals.PostgreSQL.running() as postgresql, rivals.ClickHouse.running() as clickhouse:
        world = World.begin()
        differing = _differing(world)
        return Comparison([_size(size, world, (postgresql, clickhouse)) for size in sorted(sizes)], differing)


def _differing(world: World) -> int:
    """Number of items of a small month that differ where raw events are metered as always."""
    always, beside = world.subscription("as-always"), world.subscription("beside")
    with _told(f"{_BOTH_WAYS:,} events, metered as always and with raw events beside"):
        always.fill(_BOTH_WAYS)
        with ours.raw_events_beside():
            beside.fill(_BOTH_WAYS)
    one, other = ours.items_of(always), ours.items_of(beside)
    assert len(one) > _BOTH_WAYS, "raw events, and rows"
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))


def _size(size: int, world: World, others: Sequence[Rival]) -> Size:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.tsv"
        heavy.write(size, path)
        path.chmod(0o644)
        for rival in others:
            with _told(f"{size:,} events into {rival.name}"):
                rival.load(path)
    own = world.subscription(f"heavy-{size}")
    with _told(f"{size:,} events into {_OURS}"), ours.raw_events_beside():
        own.fill(size)
    own.count_distinct_values(heavy.CUT)
    found = Size(size)
    started = time.perf_counter()
    own.ask(_FOUR, heavy.MONTH.end)
    found.first = (time.perf_counter() - started) * 1000

    def asked(questions: Sequence[str], until: datetime) -> dict[str, float]:
        asks: dict[str, Ask] = {_OURS: lambda: own.ask(questions, until)}
        for rival in others:
            asks[rival.name] = lambda rival=rival: rival.ask(questions, until)  # type: ignore[misc]
        _agree(asks)
        return _medians(asks)

    with _told(f"{size:,} events asked for"):
        found.alone = {question: asked([question], heavy.MONTH.end) for question in _FOUR}
        found.together = asked(_FOUR, heavy.MONTH.end)
        found.cut = asked(_FOUR, heavy.CUT)
    with counting() as found.read:
        own.ask(_FOUR, heavy.MONTH.end)
    with counting() as found.read_cut:
        own.ask(_FOUR, heavy.CUT)
    return found


def _agree(asks: Mapping[str, Ask]) -> None:
    """All have the same answers, exactly."""
    answers = {name: ask() for name, ask in asks.items()}
    for name, found in answers.items():
        assert found == answers[_OURS], f"{name} says {found}, {_OURS} {answers[_OURS]}"
    assert all(answers[_OURS].values()), "there are answers"


def _medians(asks: Mapping[str, Ask]) -> dict[str, float]:
    """Milliseconds of each, asked in turn, warm."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    gc.collect()
    gc.freeze()  # The benchmark's own objects need not be looked at meanwhile.
    begun = time.perf_counter()
    for n in range(-_WARM_UP, _ROUNDS):
        for name, ask in asks.items():
            started = time.perf_counter()
            ask()
            if n >= 0:
                taken[name].append((time.perf_counter() - started) * 1000)
        if n >= 2 and time.perf_counter() - begun > _SECONDS_MAX:
            break
    return {name: statistics.median(each) for name, each in taken.items()}


def _times(sizes: Sequence[Size]) -> str:
    names = list(sizes[0].together)
    lines = [f"| events | question | {' | '.join(f'{name}, ms' for name in names)} |", "|---" * (2 + len(names)) + "|"]
    for size in sizes:
        asked = {_SHOWN[question]: of for question, of in size.alone.items()}
        asked |= {"the four in turn": size.in_turn, "the four at once": size.together}
        asked["the four at once, up to an instant within an hour"] = size.cut
        for question, of in asked.items():
            shown = " | ".join(f"{of[name]:,.1f}" for name in names)
            lines.append(f"| {size.events:,} | {question} | {shown} |")
    return "\n".join(lines)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say what goes on, and how long it took: some of it takes minutes."""
    started = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


_SECTION = """
## Reading against recounting

A month's usage of one subscription, by four metrics of which each has a quarter of the events, read as current usage reads
it, on DynamoDB Local, against databases on the same machine and with the same events that count them anew: PostgreSQL, with a
unique index on organization, subscription and transaction_id, and one on organization, subscription, code and timestamp that
covers all that is asked for; and ClickHouse (embedded), sorted by the latter. In both, properties are columns of their own,
made for these very metrics. Events are read from rows that the meter kept up to date, so that their number does not matter;
where a range ends within an hour, that hour's raw events are read as well. All give the same answers, which is looked at
before any time is taken. Times are medians, taken in turn, and depend on the machine; bounded is their relation.

{times}

{rows}
"""
