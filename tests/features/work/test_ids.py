"""Ids that sort by age, and ids that are derived from others."""

import time
import uuid

import pytest

from chalicelib.platform.ids import derived_like, made_at, new_id


def test_ids_of_a_process_sort_in_the_order_in_which_they_were_made():
    """Lists show the newest first: what was made within one millisecond, under a test clock that stands, too."""
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len({*made}) == 5000
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in made} == {(7, uuid.RFC_4122)}


@pytest.mark.parametrize(("back", "is_after"), [(0.4, True), (3600, False)])
def test_a_clock_that_is_set_back_a_little_changes_no_order(monkeypatch, back, is_after):
    before, now = new_id(), time.time_ns()
    with monkeypatch.context() as clock:
        clock.setattr(time, "time_ns", lambda: now - int(back * 1e9))
        after = new_id()
    assert (after > before) is is_after
    assert abs(made_at(after).timestamp() - now / 1e9 + (0 if is_after else back)) < 0.1
    new_id()


def test_an_id_derived_from_another_is_the_same_each_time_and_sorts_by_its_age():
    made = []
    for _ in range(5):
        made.append(new_id())
        time.sleep(0.002)
    derived = [derived_like(each, "customer") for each in made]
    assert derived == [derived_like(each, "customer") for each in made] == sorted(derived)
    assert len({*derived, *made, *(derived_like(each, "other") for each in made)}) == 15
    assert {uuid.UUID(each).version for each in derived} == {7}
    assert [each[:13] for each in derived] == [each[:13] for each in made]


@pytest.mark.parametrize("text", ["", "x", "0190c2a4", "afb07e41-64a8-47ce-af85-8271ce4a23c4"])
def test_of_what_is_no_id_none_is_derived(text):
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        derived_like(text, "customer")
