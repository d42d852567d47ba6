"""Ids that are derived from others."""

import time
import uuid

import pytest

from chalicelib.platform.ids import derived_like, new_id


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
