"""The numbers that a night's promises rest on, as they are deployed."""

import pytest

from chalicelib import limits
from chalicelib.features.metering import progress
from infra import package, policies
from infra.local import provision

QUEUES = {name: own for name, own in provision._of_type("test", "AWS::SQS::Queue") if "RedrivePolicy" in own}
METER_TIMEOUT, _, METERED, _ = package.FUNCTIONS["Meter"]
INVISIBLE = QUEUES[METERED]["VisibilityTimeout"]
GRACE = limits.USAGE_GRACE.total_seconds()


def test_an_event_whose_worker_dies_is_counted_before_billing_reads():
    assert INVISIBLE + METER_TIMEOUT < GRACE
    assert limits.EVENTS_INVISIBLE.total_seconds() == INVISIBLE


def test_what_is_outstanding_was_received_late_and_is_in_the_notes_that_billing_reads():
    seen_within = limits.EVENTS_INVISIBLE + limits.PROGRESS_RECEIVED
    assert seen_within + limits.PROGRESS_LATE <= limits.USAGE_GRACE
    assert seen_within + limits.PROGRESS_SLOT <= progress.WINDOW
    assert METER_TIMEOUT + limits.MESSAGE_AGAIN_SECONDS_MAX <= INVISIBLE, "failing takes no longer than dying"


def test_a_meter_gives_back_what_it_could_not_count_before_it_is_cut_off():
    # A request may take 3 s to connect and 25 s to be answered (platform/aws.py).
    assert limits.METERING_SECONDS + 3 + 25 < METER_TIMEOUT


def test_events_become_dead_letters_after_fifty_receives_and_more_than_half_an_hour():
    receives = QUEUES[METERED]["RedrivePolicy"]["maxReceiveCount"]
    assert receives == limits.EVENTS_RECEIVED_MAX == 50
    least, most = limits.MESSAGE_AGAIN_SECONDS, limits.MESSAGE_AGAIN_SECONDS_MAX
    waits = [min(least * 2**n, most) for n in range(receives)]
    assert sum(waits) > 40 * 60
    assert sum(wait / 2 for wait in waits) > 20 * 60, "by the shortest waits that chance may draw"


def test_a_message_that_finds_aws_busy_goes_before_it_is_a_dead_letter():
    for name, queue in QUEUES.items():
        if name != METERED:
            assert queue["RedrivePolicy"]["maxReceiveCount"] > limits.BUSY_RECEIVES_MAX, name


@pytest.mark.parametrize("name", [name for name, (_, _, queue, _) in package.FUNCTIONS.items() if queue])
def test_each_consumer_may_say_when_its_messages_come_again(name):
    queue = package.FUNCTIONS[name][2]
    assert {"sqs:ChangeMessageVisibility", "sqs:GetQueueUrl"} <= allowed(name, queue)


def test_billing_may_ask_what_is_outstanding_and_do_nothing_else_with_events():
    assert allowed("Worker", METERED) == {"sqs:GetQueueUrl", "sqs:GetQueueAttributes"}


def allowed(function: str, queue: str) -> set[str]:
    """What a function may do with a queue."""
    return {
        action
        for statement in policies.document(function)["Statement"]
        for action in statement["Action"]
        if {"Fn::GetAtt": [queue, "Arn"]} in statement["Resource"]
    }
