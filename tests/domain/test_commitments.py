"""Minimum commitments: what a period must reach and what it lacks. Source: rules/billing-periods 12."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.domain.commitments import committed_cents, counts_for, true_up_cents
from chalicelib.domain.periods import Period
from tests.support.examples import examples

TEN_THOUSAND = 1_000_000
law = settings(max_examples=examples(500))
amounts = st.integers(0, 100) | st.integers(0, 10**13)


@pytest.mark.parametrize(
    ("amount", "days", "of_days", "fees", "expected"),
    [
        pytest.param(TEN_THOUSAND, 25, 28, 89_286, 803_571, id="from 4 February: 892 857 - 89 286"),
        pytest.param(TEN_THOUSAND, 7, 7, 100_000, 900_000, id="a whole week"),
        pytest.param(TEN_THOUSAND, 3, 7, 100_000, 328_571, id="ended on the Wednesday: 428 571 - 100 000"),
        pytest.param(TEN_THOUSAND, 2, 29, 690 + 3_000, 65_276, id="from 28 February 2024: 68 966 - 690 - 3 000"),
        pytest.param(TEN_THOUSAND, 30, 30, 10_000 + 1_000, 989_000, id="renewed seats count where they are used"),
        pytest.param(TEN_THOUSAND, 28, 28, TEN_THOUSAND, 0, id="reached"),
        pytest.param(TEN_THOUSAND, 28, 28, TEN_THOUSAND + 1, 0, id="surpassed"),
        pytest.param(TEN_THOUSAND, 31, 30, 0, TEN_THOUSAND, id="never more than the commitment"),
        pytest.param(TEN_THOUSAND, 0, 30, 0, 0, id="no days"),
        pytest.param(1, 1, 2, 0, 1, id="half a cent is a cent"),
    ],
)
def test_what_a_period_lacks(amount, days, of_days, fees, expected):
    assert true_up_cents(amount, days=days, of_days=of_days, fees_cents=fees) == expected


@law
@given(amounts, st.integers(1, 366), st.data())
@example(1, 2, None)
def test_a_commitment_split_over_days_adds_up_within_a_cent(amount, of_days, data):
    cut = data.draw(st.integers(0, of_days)) if data else 1
    parts = (
        committed_cents(amount, days=cut, of_days=of_days),
        committed_cents(amount, days=of_days - cut, of_days=of_days),
    )
    assert abs(sum(parts) - amount) <= 1
    assert committed_cents(amount, days=of_days, of_days=of_days) == amount


@law
@given(amounts, amounts, st.integers(1, 366), st.integers(0, 400))
def test_fees_and_true_up_reach_the_commitment_and_no_more(amount, fees, of_days, days):
    lacks = true_up_cents(amount, days=days, of_days=of_days, fees_cents=fees)
    committed = committed_cents(amount, days=days, of_days=of_days)
    assert 0 <= committed <= amount
    assert fees + lacks == max(fees, committed)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("2023-05-01T00:00", "2023-06-01T00:00", True, id="the period itself"),
        pytest.param("2023-05-01T02:00", "2023-06-01T02:00", True, id="moved by a change of time zone"),
        pytest.param("2023-05-31T00:00", "2023-06-01T00:00", True, id="its last day"),
        pytest.param("2023-04-30T00:00", "2023-05-01T00:00", False, id="the day before"),
        pytest.param("2023-06-01T00:00", "2023-06-02T00:00", False, id="the day after"),
    ],
)
def test_a_fee_counts_for_the_period_that_holds_its_middle(start, end, expected):
    low, high = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    assert counts_for(Period(date(2023, 5, 1), date(2023, 6, 1)), low, high, ZoneInfo("UTC")) == expected
