"""Where the refusals of a plan stand in its form: at the very field, as far as it can be told."""

from collections.abc import Mapping
from typing import Any

from chalicelib.console import texts
from chalicelib.console.forms import Form
from chalicelib.console.plans.ready import NEW
from chalicelib.console.texts import Refusal
from chalicelib.console.visit import Visit
from chalicelib.features.plans import placing
from chalicelib.features.plans.records import Plan
from chalicelib.platform import dynamodb


def place(visit: Visit, form: Form, body: Mapping[str, Any], before: Plan | None) -> None:
    """Move the form's refusals to the fields that they are about, and add those that the API did not come to tell. `before`:
    the plan that the form changes."""
    with dynamodb.remembering():  # Each part is examined by itself, and most name the same metrics.
        found = placing.find(visit.organization.id, body, before, now=visit.now)
    # A metric that is made with the plan does not exist yet.
    found = {name: codes for name, codes in found.items() if not form.value(name).startswith(NEW)}
    placed = {name: [texts.refusal(code, name) for code in codes] for name, codes in found.items()}
    # The API tells those of parts by their bare names, or as an object that does not exist.
    told = {code for name, codes in found.items() if "." in name for code in codes}
    for name, refusals in form.errors.items():
        left = refusals if name in placed or _is_typed_amount(name) else _untold(refusals, told)
        if left:
            placed[name] = left
    form.errors = placed
    if placed and form.status == 200:
        form.status = 422


def _is_typed_amount(name: str) -> bool:
    """Whether a field is refused here, by its whole name, where it holds no amount of its currency."""
    return name.endswith("amount_cents")


def _untold(refusals: list[Refusal], told: set[str]) -> list[Refusal]:
    return [each for each in refusals if each.code not in told]
