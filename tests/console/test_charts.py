"""Charts: heights are in proportion, tables have the same numbers, names are text."""

import itertools
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.console import charts
from chalicelib.console.charts import Place, Series

amounts = st.decimals(min_value=0, max_value=10**9, places=3)
signed = st.decimals(min_value=-1000, max_value=10**6, places=2)


def places(number: int, ahead: int = 0) -> list[Place]:
    return [Place(f"{n}", f"Day {n}", n >= number - ahead) for n in range(number)]


def heights(chart: charts.Chart) -> list[tuple[int, Decimal]]:
    """The bars: the number of the series, and the height."""
    found = re.findall(r'<rect class="s(\d)" x="[\d.]+%" width="[\d.]+%" y="[\d.]+" height="([\d.]+)"', str(chart.svg))
    return [(int(number), Decimal(height)) for number, height in found]


@given(st.lists(st.tuples(amounts, amounts), min_size=1, max_size=31))
def test_heights_are_in_proportion(values):
    series = [Series(name, [each[n] for each in values]) for n, name in enumerate("ab")]
    chart = charts.bars("t", places(len(values)), series)
    shown = heights(chart)
    given_ = [(n + 1, value) for each in values for n, value in enumerate(each) if value]
    assert [number for number, _ in shown] == [number for number, _ in given_]
    most = max((sum(each) for each in values), default=Decimal(0))
    scale = charts.ticks(most, whole=all(v == int(v) for each in values for v in each))[-1]
    for (_, height), (_, value) in zip(shown, given_, strict=True):
        assert abs(height - value / scale * 184) <= Decimal("0.01")


@given(st.lists(st.lists(signed, min_size=3, max_size=3), min_size=1, max_size=12))
def test_the_table_has_the_same_sums(values):
    chart = charts.bars("t", places(3), [Series(f"s{n}", own) for n, own in enumerate(values)])
    assert [sum(own) for _, own in chart.table] == [sum(each[n] for each in values) for n in range(3)]
    assert len(chart.series) == min(7, len(values))
    assert str(chart.svg).count('class="hit"') == 3


@given(signed, signed)
def test_ticks_enclose_all_values_at_round_steps(one, other):
    most, least = max(one, other, Decimal(0)), min(one, other, Decimal(0))
    found = charts.ticks(most, least)
    assert found[0] <= least <= most <= found[-1]
    assert 2 <= len(found) <= 8
    assert len({b - a for a, b in itertools.pairwise(found)}) == 1


def test_whole_numbers_have_whole_steps():
    assert charts.ticks(Decimal(1), whole=True) == [0, 1]
    assert charts.ticks(Decimal(9), whole=True) == [0, 3, 6, 9]
    assert charts.ticks(Decimal("0.9")) == [0, Decimal("0.25"), Decimal("0.5"), Decimal("0.75"), 1]


def test_of_many_lines_the_highest_are_drawn():
    series = [Series(f"s{n}", [Decimal(0), Decimal(n)]) for n in range(9)]
    chart = charts.lines("t", places(2), series)
    assert [each.name for each in chart.series] == [f"s{n}" for n in range(3, 9)]
    assert chart.left_out == 3
    assert str(chart.svg).count("<polyline") == 6


def test_days_to_come_are_ticks_unless_something_is_dated_ahead():
    ahead = [Series("s", [Decimal(1), Decimal(0), Decimal(0), Decimal(4)])]
    chart = charts.bars("t", places(4, ahead=3), ahead)
    assert str(chart.svg).count('class="tick-mark"') == 2
    assert [head for head, _ in chart.table] == ["Day 0", "Day 3"]
    line = charts.lines("t", places(4, ahead=3), ahead)
    assert str(line.svg).count('class="tick-mark"') == 3
    assert [head for head, _ in line.table] == ["Day 0"]


def test_names_are_text():
    chart = charts.bars('<i>"', [Place("<b>", "<b>|\n")], [Series('"><script>|', [Decimal(1)])], summary='"<x>')
    text = str(chart.svg)
    assert not re.search(r"<(b|i|x|script)>", text)
    assert 'aria-label="&#34;&lt;x&gt;"' in text
    assert "&#34;&gt;&lt;script&gt;/|1" in text


@pytest.mark.parametrize(
    ("value", "shown"), [("25000", "25k"), ("2500000", "2.5M"), ("0.5", "0.5"), ("-2000", "−2k"), ("0", "0")]
)
def test_numbers_of_an_axis_are_short(value, shown):
    assert charts.short(Decimal(value)) == shown


def test_nothing_at_all_can_be_drawn():
    assert 'role="img"' in str(charts.bars("t", [], []).svg)
    assert 'role="img"' in str(charts.lines("t", [], []).svg)
