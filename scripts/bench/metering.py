"""Cost of metering: write units, events per second on ministack, and our own Python per event with its profile."""

import cProfile
import io
import pstats
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from chalicelib.features.metering import messages, rows
from chalicelib.platform import clock
from scripts.bench.tables import Row
from tests.support.capacity import counting
from tests.support.usage import event, message


def costs() -> list[Row]:
    """Write units per event, counted; on whatever endpoint is set."""
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    one = [event(f"one-{n}", hour + timedelta(seconds=n), sub="one", value=n) for n in range(100)]
    with counting() as first:
        assert messages.handle([message(one)]) == []
    mixed = [
        event(f"mixed-{n}", hour + timedelta(milliseconds=5 * n), sub="half" if n % 2 else f"s{n % 1998}", value=n)
        for n in range(1000)
    ]
    records = [message(mixed[n : n + 10]) for n in range(0, 1000, 10)]
    with counting() as second:
        assert messages.handle(records) == []
    late = [event(f"late-{n}", hour - timedelta(days=40), sub="late", value=n) for n in range(97)]
    open_day = [event(f"open-{n}", hour, sub="open", value=n) for n in range(97)]
    with counting() as today:
        assert messages.handle([message(open_day)]) == []
    with counting() as third:
        assert messages.handle([message(late)]) == []
    return [
        Row(
            "metering 100 events of one subscription, metric and hour",
            "write units per event",
            first.write_units / 100,
            3.3,
        ),
        Row("metering 1,000 events, half of one subscription", "write units per event", second.write_units / 1000, 4.4),
        Row(
            "metering one transaction of a day already closed",
            "write units more",
            third.write_units - today.write_units,
            2,
        ),
    ]


def speed() -> tuple[list[Row], str]:
    """Events per second through `meter`, our own Python per event, and the profile's top."""
    hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    batches = [
        [
            message([event(f"v{b}-{m}-{n}", hour + timedelta(seconds=n), sub=f"v{m % 4}", value=n) for n in range(100)])
            for m in range(10)
        ]
        for b in range(6)
    ]
    started = time.perf_counter()
    for records in batches[:3]:
        assert messages.handle(records) == []
    rate = 3000 / (time.perf_counter() - started)
    # In a process of its own, as on Lambda: the benchmark's own objects would be counted with every garbage collection.
    alone = subprocess.run([sys.executable, "-m", "scripts.bench.metering"], capture_output=True, text=True, check=True)
    own = float(alone.stdout)
    profile = cProfile.Profile()
    profile.enable()
    for records in batches[4:]:
        assert messages.handle(records) == []
    profile.disable()
    text = io.StringIO()
    pstats.Stats(profile, stream=text).strip_dirs().sort_stats("tottime").print_stats(14)
    rows = [
        Row("events through `meter` on ministack", "events per second", rate, None),
        Row("our own Python in `meter`, SDK apart", "µs per event", own, 20),
    ]
    return rows, "\n".join(line for line in text.getvalue().splitlines() if line.strip())


def _own_python(records: list[dict[str, object]]) -> float:
    """The CPU time of `handle` with a client that answers at once: what is left is ours."""
    from chalicelib.platform import aws

    class Answering:
        exceptions = aws.client("dynamodb").exceptions

        def __getattr__(self, name: str) -> Callable[..., dict[str, object]]:
            return lambda **request: {"Responses": {}, "UnprocessedItems": {}}

    real = aws.client
    aws.client = lambda name, use="standard": Answering()  # type: ignore[assignment]
    try:
        rows.forget()
        messages.handle(records)
        started = time.process_time()
        for _ in range(5):
            messages.handle(records)
        return (time.process_time() - started) / 5 / 1000 * 1e6
    finally:
        aws.client = real


if __name__ == "__main__":
    _hour = clock.utc_now().replace(minute=0, second=0, microsecond=0)
    _events = [
        [event(f"v-{m}-{n}", _hour + timedelta(seconds=n), sub=f"v{m % 4}", value=n) for n in range(100)]
        for m in range(10)
    ]
    print(min(_own_python([message(events) for events in _events]) for _ in range(5)))
