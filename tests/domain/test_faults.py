"""What is told of an event that its metric cannot use as it is. Source: rules/usage 1.5."""

from decimal import Decimal

import pytest

from chalicelib.domain.aggregation import faults
from chalicelib.domain.aggregation.faults import (
    INVALID_FILTER_VALUES,
    MISSING_AGGREGATION_PROPERTY,
    MISSING_GROUP_KEY,
    Expected,
    warnings_of,
)

COUNT = Expected("count_agg", None, {})
SUM = Expected("sum_agg", "miles", {})
UNIQUE = Expected("unique_count_agg", "user", {})
CUSTOM = Expected("custom_agg", None, {})
FILTERED = Expected("sum_agg", "miles", {"cloud": ["aws", "gcp"], "zone": ["1", "2"]})
ONE_LEVEL = Expected("count_agg", None, {"cloud": ["aws", "gcp"]}, [[("cloud", "aws")], [("cloud", "gcp")]])
TWO_LEVELS = Expected(
    "count_agg",
    None,
    {},
    [
        [("cloud", "aws"), ("region", "eu")],
        [("cloud", "aws"), ("region", "asia")],
        [("cloud", "gcp"), ("place", "north")],
    ],
)
BOTH = MISSING_AGGREGATION_PROPERTY | INVALID_FILTER_VALUES


@pytest.mark.parametrize(
    ("metric", "properties", "found"),
    [
        (COUNT, {}, 0),
        (SUM, {"miles": 1}, 0),
        (SUM, {"miles": "12.5"}, 0),
        (SUM, {"miles": Decimal("-0.5")}, 0),
        (SUM, {}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": None}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": "far"}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": True}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": 10**18}, 0),
        (SUM, {"miles": "99999999999999999999999.999999999999999"}, 0),
        (SUM, {"miles": 10**23}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": Decimal("1E+999999")}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": "0.000"}, 0),
        (SUM, {"miles": "0.0000000000000005"}, 0),
        (SUM, {"miles": "0.0000000000000004"}, MISSING_AGGREGATION_PROPERTY),
        (SUM, {"miles": Decimal("-1E-999999")}, MISSING_AGGREGATION_PROPERTY),
        (Expected("max_agg", "miles", {}), {"miles": 10**23}, MISSING_AGGREGATION_PROPERTY),
        (Expected("latest_agg", "miles", {}), {"miles": 10**23}, MISSING_AGGREGATION_PROPERTY),
        (Expected("weighted_sum_agg", "miles", {}), {"miles": 10**23}, MISSING_AGGREGATION_PROPERTY),
        (Expected("max_agg", "miles", {}), {"miles": "x"}, MISSING_AGGREGATION_PROPERTY),
        (Expected("latest_agg", "miles", {}), {"miles": "x"}, MISSING_AGGREGATION_PROPERTY),
        (Expected("weighted_sum_agg", "miles", {}), {"miles": "x"}, MISSING_AGGREGATION_PROPERTY),
        (UNIQUE, {"user": "u1"}, 0),
        (UNIQUE, {"user": 7}, 0),
        (UNIQUE, {"user": ["u1"]}, MISSING_AGGREGATION_PROPERTY),
        (UNIQUE, {}, MISSING_AGGREGATION_PROPERTY),
        (CUSTOM, {}, 0),
        (FILTERED, {"miles": 1}, 0),
        (FILTERED, {"miles": 1, "cloud": "aws", "zone": 2}, 0),
        (FILTERED, {"miles": 1, "cloud": "azure"}, INVALID_FILTER_VALUES),
        (FILTERED, {"miles": 1, "cloud": "AWS"}, INVALID_FILTER_VALUES),
        (FILTERED, {"miles": 1, "cloud": ["aws"]}, INVALID_FILTER_VALUES),
        (FILTERED, {"cloud": "azure"}, BOTH),
        (ONE_LEVEL, {"cloud": "gcp"}, 0),
        (ONE_LEVEL, {}, MISSING_GROUP_KEY),
        (ONE_LEVEL, {"cloud": "azure"}, INVALID_FILTER_VALUES),
        (ONE_LEVEL, {"cloud": "\0"}, INVALID_FILTER_VALUES),
        (TWO_LEVELS, {"cloud": "aws", "region": "eu"}, 0),
        (TWO_LEVELS, {"cloud": "gcp", "place": "north", "region": "mars"}, 0),
        (TWO_LEVELS, {}, MISSING_GROUP_KEY),
        (TWO_LEVELS, {"cloud": "aws"}, MISSING_GROUP_KEY),
        (TWO_LEVELS, {"region": "eu"}, MISSING_GROUP_KEY),
        (TWO_LEVELS, {"cloud": "aws", "region": "africa"}, INVALID_FILTER_VALUES),
        (TWO_LEVELS, {"cloud": "azure", "region": "eu"}, INVALID_FILTER_VALUES),
    ],
)
def test_faults_of_an_event(metric, properties, found):
    assert metric.faults(properties) == found
    assert metric.faults(properties) == found  # Remembered alike.


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (0, []),
        (faults.INVALID_CODE, ["unknown_code"]),
        (MISSING_AGGREGATION_PROPERTY, ["property_mismatch"]),
        (MISSING_GROUP_KEY, ["dimension_mismatch"]),
        (BOTH, ["property_mismatch", "dimension_mismatch"]),
    ],
)
def test_faults_are_shown_as_warnings(found, names):
    assert warnings_of(found) == names
