"""What the README says an idle installation costs is what its parts cost."""

from decimal import Decimal
from pathlib import Path

from infra import idle_cost

ROOT = Path(__file__).parents[2]


def test_the_readme_has_the_sum_of_what_the_template_really_holds():
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert idle_cost.sentence() in readme, f"README.md should say: {idle_cost.sentence()}"


def test_each_part_is_counted_and_an_idle_month_costs_a_few_dollars():
    parts = {part.what: part.cost for part in idle_cost.parts()}
    assert parts["1 encryption key"] == 1
    # 5 requests at a time, 20 seconds each, in 730 hours: 657,000 a queue, at $0.40 a million.
    (queues,) = (cost for what, cost in parts.items() if "queue" in what)
    assert queues % (657_000 * Decimal("0.40") / 10**6) == 0
    assert 2 < sum(parts.values()) < 5
