"""The audit finds what does not add up, and nothing else; exports hold every event once."""

import gzip
import itertools
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from chalicelib.features.audit import audit as auditing
from chalicelib.features.audit import export as exporting
from chalicelib.features.audit.audit import audit
from chalicelib.features.metering import layout, messages, reading
from chalicelib.features.usage import compaction, raw
from chalicelib.platform import auth, aws, clock, files
from chalicelib.platform.clock import OrganizationRef
from chalicelib.platform.settings import settings
from chalicelib.platform.usage_table import usage
from scripts import audit as audit_script
from scripts import export_events as export_script
from tests.support.story import Story, meter
from tests.support.usage import ORG, event, message, units

NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
PK = layout.usage_pk(ORG.id, "sub")
HOUR, DAY = layout.hour_sk("2024-03-10T12", "calls"), layout.day_sk("2024-03-10")


@pytest.fixture
def counted(aws):
    """Two days of two subscriptions, folded; a late event, a wide one, and odd names."""
    first = [event(f"t{n}", NOON + timedelta(hours=n), miles=str(n), seats=n) for n in range(20)]
    other = [event(f"t{n}", NOON, sub="a#b", code="ü#", miles=Decimal("0.125")) for n in range(3)]
    wide = event("wide", NOON + timedelta(hours=2), **{f"p{n}": n for n in range(20)})
    assert messages.handle([message([*first, *other, wide])]) == []
    assert (units(), units("ü#", sub="a#b")) == (21, 3)
    assert messages.handle([message([event("late", NOON, miles=1)])]) == []
    assert units() == 22


def differences(**how):
    found = audit(now=clock.utc_now(), sleep=lambda seconds: None, **how)
    return [(each.partition, each.place, each.code, each.found) for each in found]


def add(sk: str, name: str, number: int, pk: str = PK) -> None:
    usage.write(usage.update((pk, sk), "ADD #n :n", names={"#n": name}, values={":n": number}))


def test_what_adds_up_has_no_differences(counted, capsys):
    assert differences() == []
    assert differences(organization_id=ORG.id) == []
    assert differences(organization_id=ORG.id, subscription="sub") == []
    assert audit_script.report(None, None) == 0
    assert capsys.readouterr().out == "0 differences\n"


def test_an_hour_that_counts_too_much_is_found_and_so_is_its_day(counted, capsys, monkeypatch):
    monkeypatch.setattr(auditing, "_TRIES", 2)
    add(HOUR, "n", 1)
    hour = (PK, "2024-03-10T12", "calls", "counts 3 events, there are 2")
    day = (PK, "2024-03-10", "calls", "folded n is 14, its hours say 15")
    assert differences() == differences(organization_id=ORG.id, subscription="sub") == [day, hour]
    assert audit_script.report(ORG.id, None) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 differences"
    assert differences(organization_id=ORG.id, subscription="a#b") == []
    assert differences(organization_id="org-2") == []
    assert audit_script.report(None, "sub") == 2


@pytest.mark.parametrize(
    ("sk", "name", "found"),
    [
        (HOUR, "s:miles", [("2024-03-10T12", "s:miles is 2, recounted 1")]),
        (HOUR, "c:seats", [("2024-03-10T12", "c:seats is 2, recounted 1")]),
        (HOUR, "s:none", [("2024-03-10T12", "s:none is 1, recounted 0")]),
    ],
)
def test_a_wrong_sum_is_found(counted, sk, name, found):
    add(sk, name, 1)
    assert [each[1:] for each in differences() if "T" in each[1]] == [(place, "calls", text) for place, text in found]


def test_rows_without_events_and_events_without_rows_are_found(counted):
    usage.write(usage.delete((PK, HOUR)))
    pk, sk = layout.event_key(ORG.id, "t0", "a#b")
    usage.write(usage.delete((pk, sk)))
    other, odd = layout.usage_pk(ORG.id, "a#b"), layout.key_part("ü#")
    found = [each for each in differences() if "T" in each[1]]
    assert found == sorted(
        [
            (other, "2024-03-10T12", odd, "counts 3 events, there are 2"),
            (other, "2024-03-10T12", odd, "c:miles is 3, recounted 2"),
            (other, "2024-03-10T12", odd, "s:miles is 0.375, recounted 0.250"),
            (PK, "2024-03-10T12", "calls", "counts 0 events, there are 2"),
            (PK, "2024-03-10T12", "calls", "c:miles is 0, recounted 2"),
            (PK, "2024-03-10T12", "calls", "c:seats is 0, recounted 1"),
            (PK, "2024-03-10T12", "calls", "s:miles is 0, recounted 1"),
        ]
    )


def test_a_row_that_covers_what_no_row_can_is_found(counted):
    wide = layout.hour_sk("2024-03-10T14", "calls")
    usage.write(usage.update((PK, wide), "REMOVE x"))
    assert ("2024-03-10T14", "calls", "covers properties of 1 events that no row can cover") in [
        each[1:] for each in differences()
    ]


def test_a_wrong_day_is_found_only_where_readers_trust_it(counted):
    day = usage.get(PK, DAY)
    codes = compaction.unpack(day["codes"])
    codes["calls"]["s:miles"] = Decimal(1000)
    day["codes"] = compaction.pack(codes)
    usage.write(usage.put(day))
    assert differences() == [(PK, "2024-03-10", "calls", "folded s:miles is 1000, its hours say 67")]
    add(layout.late_sk("2024-03-10"), "n", 1)  # Readers fold it again.
    assert differences() == []


def test_an_index_that_lags_and_events_in_between_are_no_differences(counted, monkeypatch):
    real_all, real_raw, calls = auditing._all, reading.raw_in_keys, []

    def with_an_event_in_between(organization_id):
        items = list(real_all(organization_id))
        messages.handle([message([event("between", NOON, miles=1)])])
        return [item for item in items if item["sk"] != HOUR] + [usage.get(PK, HOUR)]

    def lagging(*args, **how):
        calls.append(1)
        found = real_raw(*args, **how)
        return found[:-1] if len(calls) < 3 else found

    monkeypatch.setattr(auditing, "_all", with_an_event_in_between)
    monkeypatch.setattr(reading, "raw_in_keys", lagging)
    assert differences() == []
    assert len(calls) == 3


def test_hours_whose_raw_events_expire_are_recounted_in_sandboxes_only(aws):
    old = datetime(2020, 1, 1, tzinfo=UTC)
    stories = [Story.begin("2020-01-01T00:00:00Z"), Story.begin(sandbox=False)]
    for story in stories:
        organization = auth.identify({"authorization": f"Bearer {story.api_key}"})
        messages.handle([message([event("t", old)], organization)])
        usage.write(usage.delete(layout.event_key(organization.id, "t", "sub")))
    sandbox = auth.identify({"authorization": f"Bearer {stories[0].api_key}"})
    assert [each[0] for each in differences()] == [layout.usage_pk(sandbox.id, "sub")]


# Exports.


def lines(name: str) -> list[dict]:
    text = gzip.decompress(files.get(name)).decode()
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


def test_an_export_holds_every_event_of_its_days_once(aws, monkeypatch, capsys):
    monkeypatch.setattr(exporting, "_LINES_PER_FILE", 2)
    story = Story.begin()
    story.plan()
    story.customer()
    story.subscribe()
    start = datetime(2024, 1, 10, tzinfo=UTC).timestamp()
    story.use(at=start - 0.001)
    story.use(at=start, n=1.5)
    story.use(at=start + 0.25, subscription="nobody's")
    story.use(at=start + 86_400, code="other")
    story.use(at=start + 2 * 86_400)
    meter()
    meter()
    organization = auth.identify({"authorization": f"Bearer {story.api_key}"})
    assert export_script.report(organization.id, date(2024, 1, 10), date(2024, 1, 11)) == 0
    place = f"{organization.id}/exports/events/2024-01-10_2024-01-11"
    names = [f"{place}/00000.jsonl.gz", f"{place}/00001.jsonl.gz"]
    assert capsys.readouterr().out.splitlines() == [*names, "3 events"]
    manifest = json.loads(files.get(f"{place}/manifest.json"))
    assert manifest == {"from": "2024-01-10", "to": "2024-01-11", "events": 3, "files": names}
    found = list(itertools.chain(*map(lines, names)))
    assert [each["transaction_id"] for each in found] == ["tx-3", "tx-2", "tx-4"]
    shown = story.ok("GET", "/events/tx-2")["event"]
    assert found[1] == {
        "lago_id": shown["lago_id"],
        "transaction_id": "tx-2",
        "external_subscription_id": "sub",
        "code": "calls",
        "timestamp": int(start),
        "properties": {"n": Decimal("1.5")},
        "precise_total_amount_cents": None,
        "received_at": found[1]["received_at"],
    }
    assert found[0]["timestamp"] == Decimal("1704844800.250")
    # A line can be sent as it is: it is the same event, and counts no second time.
    story.ok(
        "POST",
        "/events/batch",
        {"events": [{**each, "timestamp": str(each["timestamp"]), "properties": {}} for each in found]},
    )
    meter()
    assert story.ok("GET", "/events")["meta"]["total_count"] == 5
    first = [files.get(name) for name in names]
    export_script.report(organization.id, date(2024, 1, 10), date(2024, 1, 11))
    assert [files.get(name) for name in names] == first


def test_an_export_that_would_miss_events_leaves_no_manifest(aws, monkeypatch):
    messages.handle([message([event("t", NOON)])])
    monkeypatch.setattr(reading, "raw_of_day", lambda *_, **__: [])
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(raw, "_INDEX_TRIES", 2)
    with pytest.raises(raw.IndexBehind):
        exporting.export(ORG.id, date(2024, 3, 10), date(2024, 3, 10))
    assert aws_objects() == []


def aws_objects() -> list[str]:
    listed = aws.client("s3").list_objects_v2(Bucket=settings().files_bucket)
    return [each["Key"] for each in listed.get("Contents", [])]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ORGANIZATION": "o", "FROM": "2024-01-01"},
        {"ORGANIZATION": "o", "FROM": "yesterday", "TO": "2024-01-01"},
    ],
)
def test_an_export_needs_an_organization_and_days(environment, monkeypatch, capsys):
    for name in ("ORGANIZATION", "FROM", "TO"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert export_script.main() == 2
    assert "are needed" in capsys.readouterr().out


def test_an_export_of_days_in_the_wrong_order_is_refused(capsys):
    assert export_script.report(OrganizationRef("o", sandbox=True).id, date(2024, 2, 1), date(2024, 1, 1)) == 2
    assert "before" in capsys.readouterr().out
