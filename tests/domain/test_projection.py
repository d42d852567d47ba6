"""What usage so far comes to by the period's end. Source: rules/usage 9."""

from datetime import date
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.projection import Elapsed

JANUARY = {"first": date(2024, 1, 1), "last": date(2024, 1, 31)}


@pytest.mark.parametrize(
    ("today", "so_far", "expected"),
    [
        pytest.param(date(2024, 1, 10), "100", "310.00", id="100 after 10 of 31 days"),
        pytest.param(date(2024, 1, 1), "1", "31.00", id="the first day counts"),
        pytest.param(date(2024, 1, 31), "7.5", "7.50", id="on the last day nothing more comes"),
        pytest.param(date(2024, 1, 30), "1", "1.03", id="31 / 30 = 1.0333"),
        pytest.param(date(2024, 1, 8), "0.03", "0.12", id="0.03 x 31 / 8 = 0.11625"),
        pytest.param(date(2024, 1, 7), "0", "0.00", id="nothing stays nothing"),
        pytest.param(date(2023, 12, 31), "1", "31.00", id="before the start as on the first day"),
        pytest.param(date(2024, 2, 5), "3", "3.00", id="behind the end as on the last day"),
    ],
)
def test_units_grow_with_the_days(today, so_far, expected):
    assert str(Elapsed.on(today, **JANUARY).units(D(so_far))) == expected


@given(st.integers(1, 366), st.data(), st.integers(0, 10**6))
def test_a_projection_is_no_less_than_what_is_used(of_days, data, used):
    elapsed = Elapsed(data.draw(st.integers(1, of_days)), of_days)
    assert elapsed.units(D(used)) >= used
    assert elapsed.number(used) >= used
    assert elapsed.exact(D(used)) * elapsed.days == pytest.approx(used * of_days)
