"""Charts: series of numbers become SVG and a table. Pure; everything that comes from outside is escaped by Markup.

A chart has no width of its own: places across are shares of whatever it gets, so that texts stay as large as they are. Days
that are still to come are ticks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from markupsafe import Markup

from chalicelib.console import format

_HEIGHT, _TOP = 190, 6
_SERIES_MAX = 6
_LINES_WANTED = 5
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_SHORT = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
_SHARE = Decimal("0.001")

Scale = Callable[[Decimal], Decimal]


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers with a name, one for each place."""

    name: str
    values: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Place:
    """A place across: its `label` below the chart, its `head` in tooltips and tables; `is_to_come`: it has no value yet."""

    label: str
    head: str
    is_to_come: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart. `kind`: bars, the series one upon the other, or a line for each; `summary`: what it says in one sentence;
    `left_out`: series of lines that are not drawn; `head`: what a place is; `told`: a number as people read it."""

    title: str
    kind: Literal["bars", "lines"]
    places: Sequence[Place]
    series: Sequence[Series]
    summary: str = ""
    left_out: int = 0
    head: str = "Day"
    told: Callable[[Decimal], str] = format.units

    @property
    def table(self) -> list[tuple[str, list[Decimal]]]:
        """The same numbers: a place with the value of each series, of the places that have any."""
        return [
            (place.head, [each.values[n] for each in self.series])
            for n, place in enumerate(self.places)
            if self.has_values(n)
        ]

    def has_values(self, n: int) -> bool:
        """Whether anything is known of a place: usage may be dated ahead, levels are not."""
        if not self.places[n].is_to_come:
            return True
        return self.kind == "bars" and any(each.values[n] for each in self.series)

    @property
    def svg(self) -> Markup:
        """The chart as HTML."""
        return _drawn(self)


def bars(title: str, places: Sequence[Place], series: Sequence[Series], summary: str = "") -> Chart:
    """Bars, stacked: the series with the greatest sums, and the others together."""
    if len(series) > _SERIES_MAX:
        order = sorted(series, key=lambda each: sum(each.values), reverse=True)
        kept, others = order[:_SERIES_MAX], order[_SERIES_MAX:]
        rest = [sum((each.values[n] for each in others), Decimal(0)) for n in range(len(places))]
        series = [*(each for each in series if each in kept), Series(f"{len(others)} others", rest)]
    return Chart(title, "bars", places, series, summary)


def months(title: str, places: Sequence[Place], series: Series, currency: str, summary: str = "") -> Chart:
    """Bars of amounts in units of a currency, one a month."""
    return Chart(
        title, "bars", places, [series], summary, head="Month", told=lambda value: format.price(value, currency)
    )


def lines(title: str, places: Sequence[Place], series: Sequence[Series], summary: str = "") -> Chart:
    """A line for each of the series with the greatest last values: values of different ones cannot be added up."""
    order = sorted(series, key=lambda each: each.values[-1] if each.values else Decimal(0), reverse=True)
    kept = [each for each in series if each in order[:_SERIES_MAX]]
    return Chart(title, "lines", places, kept, summary, len(series) - len(kept))


def ticks(most: Decimal, least: Decimal = Decimal(0), *, whole: bool = False) -> list[Decimal]:
    """Round numbers at equal steps, from at most the least to at least the greatest value. `whole`: no parts of units."""
    size = max(most, -least)
    if size <= 0:
        return [Decimal(0), Decimal(1)]
    rough = (most - least) / (_LINES_WANTED - 1)
    power = Decimal(1).scaleb(rough.adjusted())
    step = next(power * each for each in _STEPS if power * each >= rough)
    step = max(Decimal(1), step.to_integral_value(ROUND_CEILING)) if whole else step
    first = -((-least / step).to_integral_value(ROUND_CEILING)) if least < 0 else Decimal(0)
    last = (most / step).to_integral_value(ROUND_CEILING)
    return [step * n for n in range(int(first), int(last) + 1)]


def short(value: Decimal) -> str:
    """A number of an axis: `25k`."""
    for size, letter in _SHORT:
        if abs(value) >= size:
            return f"{format.units(value / size)}{letter}"
    return format.units(value)


def _drawn(chart: Chart) -> Markup:
    whole = all(value == value.to_integral_value() for each in chart.series for value in each.values)
    marks = ticks(*_bounds(chart), whole=whole)
    low, high = marks[0], marks[-1]

    def y(value: Decimal) -> Decimal:
        """Where a value lies, from the top."""
        return (_TOP + (high - value) / (high - low) * (_HEIGHT - _TOP)).quantize(_SHARE)

    axis = Markup().join(Markup('<text x="38" y="{}">{}</text>').format(y(each) + 4, short(each)) for each in marks)
    grid = Markup().join(
        Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(y(each)) for each in marks
    )
    body = _bars(chart, y) if chart.kind == "bars" else _lines(chart, y, low, high)
    return Markup(
        '<div class="chart" role="img" aria-label="{}"><svg class="axis" aria-hidden="true">{}</svg>'
        '<svg class="plot" aria-hidden="true">{}{}{}{}</svg></div>'
    ).format(chart.summary or chart.title, axis, grid, body, _labels(chart), _hits(chart))


def _bounds(chart: Chart) -> tuple[Decimal, Decimal]:
    """The greatest value, and the least or 0."""
    values = [value for each in chart.series for value in each.values]
    if chart.kind == "bars":
        columns = [[each.values[n] for each in chart.series] for n in range(len(chart.places))]
        values = [sum((v for v in own if v > 0), Decimal(0)) for own in columns]
        values += [sum((v for v in own if v < 0), Decimal(0)) for own in columns]
    return max(values, default=Decimal(0)), min([*values, Decimal(0)])


def _x(chart: Chart, n: Decimal) -> str:
    """A place across as a share of the whole."""
    return f"{(n * 100 / max(1, len(chart.places))).quantize(_SHARE)}%"


def _bars(chart: Chart, y: Scale) -> Markup:
    found = []
    for n, place in enumerate(chart.places):
        x, width = _x(chart, n + Decimal("0.16")), _x(chart, Decimal("0.68"))
        up = down = Decimal(0)
        for number, each in enumerate(chart.series, 1):
            value = each.values[n]
            if not value:
                continue
            if value > 0:
                low, up = up, up + value
                top, bottom = y(up), y(low)
            else:
                high, down = down, down + value
                top, bottom = y(high), y(down)
            found.append(
                Markup('<rect class="s{}" x="{}" width="{}" y="{}" height="{}"/>').format(
                    number, x, width, top, bottom - top
                )
            )
        if place.is_to_come and not up and not down:
            found.append(_tick(x, width, y))
    return Markup().join(found)


def _tick(x: str, width: str, y: Scale) -> Markup:
    return Markup('<rect class="tick-mark" x="{}" width="{}" y="{}" height="3"/>').format(x, width, y(Decimal(0)) - 3)


def _lines(chart: Chart, y: Scale, low: Decimal, high: Decimal) -> Markup:
    """Lines through the middles of the places, up to the present one."""
    size = max(1, len(chart.places))
    last = max((n for n, place in enumerate(chart.places) if not place.is_to_come), default=-1)
    found = []
    for number, each in enumerate(chart.series, 1):
        points = " ".join(f"{2 * n + 1},{y(each.values[n])}" for n in range(last + 1))
        found.append(
            Markup(
                '<svg height="{0}" viewBox="0 0 {1} {0}" preserveAspectRatio="none">'
                '<polyline class="line l{2}" points="{3}"/></svg>'
            ).format(_HEIGHT, 2 * size, number, points)
        )
        if last >= 0:
            found.append(
                Markup('<circle class="s{}" cx="{}" cy="{}" r="3"/>').format(
                    number, _x(chart, last + Decimal("0.5")), y(each.values[last])
                )
            )
    width = _x(chart, Decimal("0.68"))
    found += [_tick(_x(chart, n + Decimal("0.16")), width, y) for n in range(last + 1, len(chart.places))]
    return Markup().join(found)


def _labels(chart: Chart) -> Markup:
    """Some labels below; on phones fewer."""
    step = max(1, -(-len(chart.places) // 12))
    found = []
    for at, n in enumerate(range(0, len(chart.places), step)):
        found.append(
            Markup('<text{} x="{}" y="{}">{}</text>').format(
                Markup(' class="m"') if at % 3 else "",
                _x(chart, n + Decimal("0.5")),
                _HEIGHT + 16,
                chart.places[n].label,
            )
        )
    return Markup().join(found)


def _hits(chart: Chart) -> Markup:
    """The element that tells the values of a place under the pointer."""
    found = []
    width = _x(chart, Decimal(1))
    for n, place in enumerate(chart.places):
        values = [(each.name, each.values[n]) for each in chart.series]
        if not chart.has_values(n):
            continue
        told = [f"{_flat(name)}|{chart.told(value)}" for name, value in values if value or len(values) < 3]
        tip = "\n".join([f"{_flat(place.head)}|", *told])
        found.append(
            Markup('<rect class="hit" x="{}" width="{}" y="0" height="{}" data-tip="{}"/>').format(
                _x(chart, Decimal(n)), width, _HEIGHT, tip
            )
        )
    return Markup().join(found)


def _flat(text: str) -> str:
    """A name as a line of a tooltip: without what divides these."""
    return " ".join(text.replace("|", "/").split())
