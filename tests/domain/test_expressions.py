"""Formulas over events. Source: rules/usage 2 and the published expression language."""

from decimal import Decimal as D

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.aggregation.expression_steps import ExpressionError, Facts
from chalicelib.domain.aggregation.expressions import check, evaluate
from chalicelib.domain.aggregation.numbers import is_countable, quantity

EVENT = Facts(
    code="compute",
    timestamp=D("1704067200.123"),
    properties={
        "n": 7,
        "d": D("2.50"),
        "t": "12.5",
        "minus": "-3",
        "id": "007",
        "name": "Zoë 🦊",
        "zero": 0,
        "flag": True,
        "none": None,
        "list": [1],
        "huge": 10**70,
        "vast": D("1E+999999"),
        "tiny": D("1E-999999"),
        "_own": 1,
    },
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("1", D(1), id="a number"),
        pytest.param("12.50", D("12.5"), id="decimals"),
        pytest.param("1 + 2 * 3", D(7), id="products before sums"),
        pytest.param("(1 + 2) * 3", D(9), id="parentheses first"),
        pytest.param("10 - 4 - 3", D(3), id="sums from the left"),
        pytest.param("24 / 4 / 2", D(3), id="products from the left"),
        pytest.param("24 / 4 * 2", D(12), id="divisions and products alike"),
        pytest.param("2 - -3", D(5), id="minus a negative"),
        pytest.param("-2 * -3", D(6), id="negative factors"),
        pytest.param("--2", D(2), id="minus twice"),
        pytest.param("-(1 + 2)", D(-3), id="minus before parentheses"),
        pytest.param("0.1 + 0.2", D("0.3"), id="exact"),
        pytest.param("1 / 3", D("0.333333333333333"), id="a result has 15 decimals"),
        pytest.param("2 / 3", D("0.666666666666667"), id="half up"),
        pytest.param("1 / 3 * 3", D(1), id="60 digits in between: 0.99... comes back to 1"),
        pytest.param("event.properties.n * 2", D(14), id="an integer property"),
        pytest.param("event.properties.d + event.properties.t", D(15), id="a decimal one and a text of digits"),
        pytest.param("event.properties.minus + 1", D(-2), id="a negative text"),
        pytest.param("event.properties._own", D(1), id="a name with an underscore"),
        pytest.param("event.timestamp", D("1704067200.123"), id="seconds since 1970"),
        pytest.param("event.code", "compute", id="the code"),
        pytest.param("event.properties.id", "007", id="a text stays one"),
        pytest.param("event.properties.id + 0", D(7), id="until it is computed with"),
        pytest.param("round(2.5)", D(3), id="round half up"),
        pytest.param("ROUND(-2.5)", D(-3), id="away from zero"),
        pytest.param("Round(2.345, 2)", D("2.35"), id="to decimals"),
        pytest.param("round(1234, -2)", D(1200), id="to hundreds"),
        pytest.param("ceil(2.1)", D(3), id="ceil"),
        pytest.param("ceil(-2.1)", D(-2), id="ceil of a negative"),
        pytest.param("ceil(1.234, 2)", D("1.24"), id="ceil to decimals"),
        pytest.param("floor(2.9)", D(2), id="floor"),
        pytest.param("floor(-2.1)", D(-3), id="floor of a negative"),
        pytest.param("floor(1239, -1)", D(1230), id="floor to tens"),
        pytest.param("round(5, 1 + 1)", D(5), id="decimals may be a formula"),
        pytest.param("LEAST(event.properties.n, 10.0)", D(7), id="least"),
        pytest.param("greatest(1, 3, 2)", D(3), id="greatest"),
        pytest.param("concat('a', 'b', 'c')", "abc", id="concat"),
        pytest.param("CONCAT(event.properties.id, '-', event.properties.n)", "007-7", id="numbers in plain digits"),
        pytest.param("concat(1.50 + 1, '|', 0 * -1, '|', 100)", "2.5|0|100", id="without idle zeros"),
        pytest.param("concat(event.properties.name, ' (+)')", "Zoë 🦊 (+)", id="any characters in texts"),
        pytest.param("concat('')", "", id="an empty text"),
        pytest.param(" \t( 1\n+ 1 )  ", D(2), id="space"),
        pytest.param("round(1)+round(2)", D(3), id="calls side by side"),
        pytest.param("event.properties.tiny * 1", D(0), id="next to nothing is nothing"),
        pytest.param("+".join(["1"] * 5000), D(5000), id="long is not deep"),
        pytest.param("-" * 5000 + "1", D(1), id="5000 times minus"),
        pytest.param("9" * 59 + " + 0", D("9" * 59), id="59 digits"),
    ],
)
def test_a_formula_has_a_value(expression, expected):
    value = evaluate(expression, EVENT)
    assert (type(value), value) == (type(expected), expected)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(text, id=repr(text)[:40])
        for text in (
            "",
            "  ",
            "1 +",
            "* 1",
            "+1",
            "1 2",
            "(1",
            "1)",
            "()",
            "1 + (2 * 3",
            "1..2",
            "1.",
            ".5",
            "1e5",
            "1,2",
            "'open",
            '"double"',
            "event",
            "event.",
            "event.id",
            "event.properties",
            "event.properties.",
            "event.properties.a.b",
            "event.properties.1a",
            "event.properties.a-",
            "Event.code",
            "properties.a",
            "amount",
            "round",
            "round()",
            "round(1, 2, 3)",
            "ceil(1 2)",
            "floor(1,)",
            "concat()",
            "power(2, 3)",
            "round (1",
            "1 % 2",
            "2 ** 3",
            "1 = 1",
            "a[0]",
            "__import__('os')",
            "().__class__",
            "event.properties.größe",
            "１ + 1",
            "1\u00a0+ 1",
            "1;2",
            "\\",
            "1 \\ 2",
            "9" * 61,
            "(" * 100 + "1" + ")" * 100,
            "(" * 5000,
            "round(" * 200 + "1" + ")" * 200,
        )
    ],
)
def test_what_is_no_formula_is_refused_before_any_event(expression):
    with pytest.raises(ExpressionError):
        check(expression)
    with pytest.raises(ExpressionError):
        evaluate(expression, EVENT)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("1 / 0", id="division by 0"),
        pytest.param("1 / event.properties.zero", id="division by a property of 0"),
        pytest.param("0 / 0", id="0 by 0"),
        pytest.param("event.properties.unknown", id="a missing property"),
        pytest.param("concat('a', event.properties.none)", id="a null one"),
        pytest.param("event.properties.flag", id="true is no value"),
        pytest.param("event.properties.list", id="nor is a list"),
        pytest.param("event.properties.name + 1", id="a text is no number"),
        pytest.param("event.code * 2", id="nor is the code"),
        pytest.param("-event.code", id="nor can it be negative"),
        pytest.param("'1e5' + 1", id="a text with an exponent is no number"),
        pytest.param("'１' + 1", id="nor is one of other digits"),
        pytest.param("round('a')", id="a text cannot be rounded"),
        pytest.param("round(1, 0.5)", id="half a decimal"),
        pytest.param("round(1, 16)", id="more decimals than there are"),
        pytest.param("round(1, 1 / 3 * 1000)", id="no decimals at all"),
        pytest.param("greatest(1, 'b')", id="a text is not greater"),
        pytest.param("event.properties.huge", id="a huge property"),
        pytest.param("event.properties.vast", id="a vast one"),
        pytest.param("*".join(["1000000"] * 20), id="grown beyond 60 digits"),
        pytest.param("1 / 0.00001" + " / 0.0000000001" * 6, id="grown by division"),
        pytest.param("concat(" + ",".join(["event.properties.name"] * 2001) + ")", id="too long a text"),
        pytest.param("'" + "1" * 121 + "' + 1", id="too many digits"),
    ],
)
def test_an_event_may_give_a_formula_no_value(expression):
    check(expression)
    with pytest.raises(ExpressionError):
        evaluate(expression, EVENT)


def test_nesting_is_bounded_well_above_what_people_write():
    assert evaluate("(" * 40 + "1" + ")" * 40, EVENT) == 1


# Laws.

WORDS = st.sampled_from(
    [
        *"+-*/(),'. ",
        "1",
        "0",
        "2.5",
        "99999999999999999999",
        "'a'",
        "event.code",
        "event.timestamp",
        "event.properties.n",
        "event.properties.t",
        "event.properties.name",
        "event.properties.huge",
        "event.properties.none",
        "round(",
        "ceil(",
        "floor(",
        "concat(",
        "least(",
        "GREATEST(",
        ")",
        "ß",
        "\x00",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=25).map("".join)))
@example("'" + "\ud800" + "'")
def test_any_text_has_a_value_or_is_refused(text):
    try:
        value = evaluate(text, EVENT)
    except ExpressionError:
        return
    assert isinstance(value, str | D)
    if isinstance(value, D):
        assert value.is_finite()
        assert len(format(value, "f")) < 80
        assert abs(value) >= 10**23 or quantity(value) == value or not is_countable(value)


NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False)


def sums(inner: st.SearchStrategy[tuple[str, D]]) -> st.SearchStrategy[tuple[str, D]]:
    """A formula of two others, with its value."""
    operators = {"+": D.__add__, "-": D.__sub__, "*": D.__mul__}

    def joined(left: tuple[str, D], sign: str, right: tuple[str, D]) -> tuple[str, D]:
        return f"({left[0]}) {sign} ({right[0]})", operators[sign](left[1], right[1])

    return st.builds(joined, inner, st.sampled_from(sorted(operators)), inner)


@given(st.recursive(NUMBERS.map(lambda n: (format(n, "f"), n)), sums, max_leaves=3))
def test_formulas_compute_exactly(pair):
    text, expected = pair  # At most three factors of 12 digits: the default context holds them all but the last.
    value = evaluate(text, EVENT)
    exact = D(expected)
    assert isinstance(value, D)
    assert abs(value - exact) <= abs(exact) * D("1E-26")


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.one_of(st.text(), st.integers(), st.floats(), st.none())))
def test_any_properties_give_a_value_or_a_refusal(properties):
    for text in ("event.properties.a + event.properties.b", "concat(event.properties.a, event.properties.b)"):
        try:
            value = evaluate(text, Facts("c", D(0), properties))
        except ExpressionError:
            continue
        assert isinstance(value, str | D)
