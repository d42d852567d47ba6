"""Tiers whose bounds are fractions: each starts where the one before ends, which belongs to the lower one."""

from decimal import Decimal as D
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.charges import properties, ranges
from chalicelib.domain.charges.models import ChargeModel, price
from chalicelib.domain.charges.usage import ChargeUsage

NAMES = {
    ChargeModel.GRADUATED: ("graduated_ranges", "per_unit_amount"),
    ChargeModel.VOLUME: ("volume_ranges", "per_unit_amount"),
    ChargeModel.GRADUATED_PERCENTAGE: ("graduated_percentage_ranges", "rate"),
}
TENTHS: list[Any] = [0, D("0.1"), 1, None]


def tiered(model: ChargeModel, bounds: list[Any], lows: list[Any] | None = None) -> dict[str, Any]:
    """Tiers between these bounds, at 1, 2, 3 ... a unit and 10, 20, 30 ... once."""
    name, of = NAMES[model]
    pairs = list(pairwise(bounds)) if lows is None else list(zip(lows, bounds[1:], strict=True))
    rows = [{"from_value": low, "to_value": high} for low, high in pairs]
    return {name: [row | {of: str(n), "flat_amount": str(10 * n)} for n, row in enumerate(rows, 1)]}


def amount(model: ChargeModel, given: dict[str, Any], units: str) -> D:
    return price(model, ChargeUsage(D(units), 1), properties.parse(model, given)).amount


def refused(model: ChargeModel, given: dict[str, Any]) -> dict[str, list[str]]:
    try:
        properties.parse(model, given)
    except properties.PropertyErrors as error:
        return error.details
    return {}


@pytest.mark.parametrize(
    ("units", "graduated", "volume", "rates"),
    [
        pytest.param("0", "10", "10", "10", id="nothing: the first tier's flat amount"),
        pytest.param("0.05", "10.05", "10.05", "10.0005", id="in the first tier"),
        pytest.param("0.1", "10.1", "10.1", "10.001", id="the bound belongs to the lower tier"),
        pytest.param("0.5", "30.9", "21", "30.009", id="two tiers: 0.1 x 1 + 0.4 x 2; volume: 0.5 x 2"),
        pytest.param("1", "31.9", "22", "30.019", id="up to the second bound"),
        pytest.param("3", "67.9", "39", "60.079", id="three tiers: 0.1 x 1 + 0.9 x 2 + 2 x 3"),
    ],
)
def test_fractional_bounds_that_touch(units, graduated, volume, rates):
    expected = zip(NAMES, (graduated, volume, rates), strict=True)
    for model, cost in expected:
        assert amount(model, tiered(model, TENTHS), units) == D(cost), model


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize(
    ("bounds", "lows"),
    [
        pytest.param(TENTHS, [0, D("0.2"), 1], id="a gap"),
        pytest.param(TENTHS, [0, D("0.05"), 1], id="an overlap"),
        pytest.param([0, D("0.5"), None], [0, D("1.5")], id="one after a fraction is a gap"),
        pytest.param([0, D("0.5"), D("0.5"), None], None, id="an empty tier"),
        pytest.param([0, D("0.5"), D("0.2"), None], None, id="bounds that fall"),
        pytest.param([D("0.1"), 1, None], None, id="a start above 0"),
        pytest.param([0, D("-0.1"), None], None, id="below 0"),
        pytest.param([0, D("0.1"), D("0.2")], None, id="no open tier"),
        pytest.param([0, D("1E-16"), None], None, id="too many digits"),
        pytest.param([0, D("1E+400"), None], None, id="out of this world"),
        pytest.param([0, D("1E+999999999"), None], None, id="a billion digits"),
        pytest.param([0, D("NaN"), None], None, id="no number"),
        pytest.param([0, D("1.0"), None], None, id="a whole number that is written as a fraction"),
        pytest.param([0, True, None], None, id="a switch"),
        pytest.param([0, "1", None], None, id="a whole number as text"),
        pytest.param([0, [D("0.1")], None], None, id="a list"),
    ],
)
def test_what_is_no_row_of_tiers_is_refused(model, bounds, lows):
    name, _ = NAMES[model]
    assert refused(model, tiered(model, bounds, lows)) == {name: [f"invalid_{name}"]}


def test_whole_bounds_keep_their_meaning():
    beside = [0, 11], [0, 10, None]
    for model in NAMES:
        given = tiered(model, beside[1], beside[0])
        assert refused(model, given) == {}
        shared = tiered(model, [0, 10, None])
        expected = {"volume_ranges": ["invalid_volume_ranges"]} if model is ChargeModel.VOLUME else {}
        assert refused(model, shared) == expected
    # 10.5 units lie behind the first tier, though the second says that it starts at 11.
    assert amount(ChargeModel.GRADUATED, tiered(ChargeModel.GRADUATED, beside[1], beside[0]), "10.5") == D("41")


def test_whole_and_fractional_bounds_go_together():
    given = tiered(ChargeModel.GRADUATED, [0, 10, D("20.5"), 30, None], [0, 11, D("20.5"), 30])
    assert amount(ChargeModel.GRADUATED, given, "21") == D("10") + D("21") + D("1.5") + D("60")


def test_what_is_kept_prices_the_same_and_is_shown_as_numbers():
    for model, (name, _) in NAMES.items():
        given = tiered(model, [0, D("0.0000001"), D("0.10"), 1, None])
        stored = properties.kept(model, {**given, "unknown": 1, name: [{**t, "x": [1]} for t in given[name]]})
        assert [t["to_value"] for t in stored[name]] == ["0.0000001", "0.10", 1, None]
        assert properties.parse(model, stored) == properties.parse(model, given)
        assert ranges.numbered(stored) == given


@given(
    st.lists(st.decimals("0.001", "99", places=3), min_size=1, max_size=5, unique=True),
    st.decimals("0", "200", places=4),
)
@pytest.mark.parametrize("model", [ChargeModel.GRADUATED, ChargeModel.GRADUATED_PERCENTAGE])
def test_the_parts_of_all_tiers_are_the_units(model, highs, units):
    name, _ = NAMES[model]
    bounds = [0, *(int(high) if high == int(high) else high for high in sorted(highs)), None]
    found = price(model, ChargeUsage(units, 1), properties.parse(model, tiered(model, bounds)))
    assert sum(D(part["units"]) for part in found.details[name]) == units
