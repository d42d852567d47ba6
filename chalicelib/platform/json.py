"""The text of values as JSON: for answers, messages, logs and items alike."""

from collections.abc import Callable
from typing import Any

import simplejson

# The compact text of a value. `Decimal` becomes a JSON number with exactly these digits. (One encoder for all: a new
# one for each value takes as long as encoding an event.)
to_json: Callable[[Any], str] = simplejson.JSONEncoder(
    separators=(",", ":"), use_decimal=True, ensure_ascii=False
).encode
