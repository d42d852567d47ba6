"""What a charge's fees lack of its minimum. Source: rules/usage 8.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges.minimum import true_up_cents


@pytest.mark.parametrize(
    ("minimum", "days", "of_days", "fees", "expected"),
    [
        pytest.param(10000, 16, 31, 3000, 2161, id="from 16 March: 16 x 10000 / 31 = 5161.29 - 3000"),
        pytest.param(1000, 25, 28, 800, 93, id="until 25 February: 25 x 1000 / 28 = 892.86 - 800"),
        pytest.param(10000, 31, 31, 0, 10000, id="nothing used"),
        pytest.param(10000, 31, 31, 10000, 0, id="just reached"),
        pytest.param(10000, 31, 31, 10001, 0, id="more than reached"),
        pytest.param(1, 1, 2, 0, 1, id="half a cent is a whole one"),
        pytest.param(10000, 0, 31, 0, 0, id="no day"),
        pytest.param(0, 31, 31, 0, 0, id="no minimum"),
    ],
)
def test_a_true_up_brings_the_fees_to_the_minimum_of_the_days(minimum, days, of_days, fees, expected):
    assert true_up_cents(minimum, days=days, of_days=of_days, fees_cents=fees) == expected


@given(st.integers(0, 10**9), st.integers(1, 366), st.integers(0, 366), st.integers(0, 10**9))
def test_fees_and_true_up_reach_the_due_amount_to_half_a_cent(minimum, of_days, days, fees):
    days = min(days, of_days)
    reached = fees + true_up_cents(minimum, days=days, of_days=of_days, fees_cents=fees)
    assert 2 * reached * of_days >= (2 * minimum * days) - of_days
    assert reached == fees or 2 * reached * of_days <= 2 * minimum * days + of_days
