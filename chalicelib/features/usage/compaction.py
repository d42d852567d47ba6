"""The text of a daily rollup: all codes of a compacted day, each name written once. A month of such days is read and
parsed fastest, and exact numbers of any length fit.

    {"<code>": {"n": 7, "s:bytes": 12.5, "v:<digest>:": {"g": 7, "k": [["aws"], [null]], "s": [10.5, 2], "c": [6, 1]}}}

`k` lists the combinations of a rollup dimension. Its other values are listed in the same order, null where a
combination has none.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from chalicelib.features.metering import dimensions
from chalicelib.platform.json import to_json

Codes = Mapping[str, Mapping[str, Any]]


def pack(codes: Codes) -> str:
    """The text of rows by code."""
    packed = {code: _packed(row) for code, row in codes.items()}
    return to_json(packed)


def unpack(text: str) -> dict[str, dict[str, Any]]:
    """The rows by code: the inverse of `pack`."""
    return {code: _unpacked(row) for code, row in json.loads(text, parse_float=Decimal).items()}


def _packed(row: Mapping[str, Any]) -> dict[str, Any]:
    packed: dict[str, Any] = {}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in row.items():
        what = dimensions.what_of(name)
        if what is None:
            packed[name] = value
        elif what == "g":
            packed.setdefault(dimensions.prefix_of(name), {})["g"] = value
        else:
            prefix = dimensions.prefix_of(name)
            found.setdefault(prefix, {}).setdefault(name[len(prefix) + 1 :], {})[what] = value
    for prefix, combinations in found.items():
        dimension = packed.setdefault(prefix, {})
        dimension["k"] = [json.loads(combination) for combination in combinations]
        for what in dict.fromkeys(what for values in combinations.values() for what in values):
            dimension[what] = [values.get(what) for values in combinations.values()]
    return packed


def _unpacked(packed: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in packed.items():
        if not isinstance(value, dict):
            row[name] = value
            continue
        if "g" in value:
            row[f"{name}g"] = value["g"]
        combinations = [dimensions.name_of_combination(each) for each in value.get("k", ())]
        for what, values in value.items():
            if what not in ("g", "k"):
                row |= {
                    f"{name}{what}{combination}": each
                    for combination, each in zip(combinations, values, strict=True)
                    if each is not None
                }
    return row
