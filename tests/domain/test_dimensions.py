"""Filters, groups, and the first API's groups. Source: rules/usage 4."""

from decimal import Decimal as D

import pytest

from chalicelib.domain.aggregation import groups
from chalicelib.domain.aggregation.dimensions import ALL_VALUES, Bucket, Filter, Matcher, split
from chalicelib.domain.errors import Invalid
from tests.support.readings import reading

LISTED = {"cloud": ["aws", "gcp", "azure"], "region": ["us", "europe", "asia"], "size": ["1", "2.5", "true"]}


def of(**values):
    """A filter."""
    return Filter({key: given if isinstance(given, list) else [given] for key, given in values.items()})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"cloud": "aws"}, 0, id="a listed value"),
        pytest.param({"cloud": "gcp"}, None, id="another value"),
        pytest.param({"cloud": "AWS"}, None, id="case counts"),
        pytest.param({"cloud": None}, None, id="null"),
        pytest.param({"cloud": ["aws"]}, None, id="a list"),
        pytest.param({}, None, id="no such key"),
        pytest.param({"cloud": "aws", "region": "moon"}, 0, id="other keys do not matter"),
    ],
)
def test_one_key(properties, expected):
    assert Matcher([of(cloud="aws")], LISTED).index_of(properties) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({"cloud": "aws", "region": "us"}, 0, id="both"),
        pytest.param({"cloud": "aws", "region": "moon"}, None, id="a value that the metric does not list"),
        pytest.param({"cloud": "aws"}, None, id="a missing key"),
        pytest.param({"cloud": "gcp", "region": "us"}, None, id="one of them differs"),
    ],
)
def test_all_values_are_those_that_the_metric_lists(properties, expected):
    assert Matcher([of(cloud="aws", region=ALL_VALUES)], LISTED).index_of(properties) == expected


def test_a_key_that_the_metric_no_longer_lists_has_no_values():
    assert Matcher([of(cloud=ALL_VALUES)], {}).index_of({"cloud": "aws"}) is None


@pytest.mark.parametrize(
    ("value", "matches"),
    [(1, True), ("1", True), (D("2.5"), True), (D("2.50"), False), (True, True), ("true", True), (False, False)],
)
def test_values_compare_as_text(value, matches):
    assert (Matcher([of(size=["1", "2.5", "true"])], LISTED).index_of({"size": value}) is not None) == matches


AWS_US = {"cloud": "aws", "region": "us"}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([of(cloud="aws"), of(cloud="aws", region="us")], 1, id="most keys"),
        pytest.param([of(cloud="aws"), of(cloud=ALL_VALUES, region=ALL_VALUES)], 1, id="most keys, whatever values"),
        pytest.param([of(cloud=["aws", "gcp"]), of(cloud="aws")], 1, id="a subset of the values"),
        pytest.param([of(cloud="aws"), of(cloud=["aws", "gcp"])], 0, id="the other way round"),
        pytest.param([of(cloud=ALL_VALUES), of(cloud=["aws", "gcp"]), of(cloud="aws")], 2, id="a subset of a subset"),
        pytest.param([of(cloud="aws", region=ALL_VALUES), of(cloud="aws", region="us")], 1, id="a subset in one key"),
        pytest.param([of(cloud="aws"), of(cloud="aws")], 0, id="identical: the oldest"),
        pytest.param([of(cloud=ALL_VALUES), of(cloud=LISTED["cloud"])], 0, id="identical when spelled out"),
        pytest.param([of(cloud=["aws", "gcp"]), of(cloud=["aws", "azure"])], 0, id="overlapping: the oldest"),
        pytest.param([of(region="us"), of(cloud="aws")], 0, id="other keys, as many: the oldest"),
        pytest.param(
            [of(cloud=["aws", "gcp"], region="us"), of(cloud="aws", region=["us", "asia"])],
            0,
            id="each narrower in one key: the oldest",
        ),
        pytest.param([of(cloud="gcp"), of(region=["asia"]), of(cloud=ALL_VALUES)], 2, id="the only one"),
    ],
)
def test_the_most_specific_filter_takes_the_event(filters, expected):
    assert Matcher(filters, LISTED).index_of(AWS_US) == expected


# Splitting.


def test_the_example_of_four_fees():
    readings = [
        reading("2024-09-01", 10, cloud="aws", region="us", country="us"),
        reading("2024-09-02", 10, cloud="aws", region="europe", country="france"),
        reading("2024-09-03", 10, cloud="aws", region="asia"),
        reading("2024-09-04", 10, cloud="gcp", region="asia", country="china"),
    ]
    filters = [Filter({"cloud": ["aws"], "region": [ALL_VALUES]}, ["country"])]
    assert split(readings, filters, [], LISTED) == {
        Bucket(0, (("country", "us"),)): [readings[0]],
        Bucket(0, (("country", "france"),)): [readings[1]],
        Bucket(0, (("country", None),)): [readings[2]],
        Bucket(None, ()): [readings[3]],
    }


def test_every_filter_and_the_default_are_there_without_events():
    filters = [of(cloud="aws"), Filter({"cloud": ["gcp"]}, ["country", "user"])]
    assert split([], filters, ["user"], LISTED) == {
        Bucket(0): [],
        Bucket(1, (("country", None), ("user", None))): [],
        Bucket(None, (("user", None),)): [],
    }


def test_the_default_has_its_own_groups():
    one, two = reading("2024-09-01", user="u1", cloud="aws"), reading("2024-09-02", user="u1", cloud="gcp")
    found = split([one, two], [of(cloud="aws")], ["user"], LISTED)
    assert found == {Bucket(0): [one], Bucket(None, (("user", "u1"),)): [two]}


def test_group_values_are_text():
    readings = [reading("2024-09-01", user=1), reading("2024-09-02", user="1"), reading("2024-09-03", user=True)]
    found = split(readings, [], ["user"], {})
    assert {bucket.group: len(members) for bucket, members in found.items()} == {
        (("user", "1"),): 2,
        (("user", "true"),): 1,
    }


def test_without_a_default_what_no_filter_takes_is_left_out():
    readings = [reading("2024-09-01", cloud="aws"), reading("2024-09-02", cloud="gcp")]
    assert split(readings, [of(cloud="aws")], None, LISTED) == {Bucket(0): readings[:1]}


# The first API's groups.

TWO_LEVELS = {
    "key": "provider",
    "values": [
        {"name": "AWS", "key": "region", "values": ["Europe", "Asia"]},
        {"name": "Google", "key": "region", "values": ["Europe"]},
    ],
}


def test_one_level_is_one_filter():
    choices = groups.read({"key": "provider", "values": ["AWS", "Google", "AWS"]})
    assert [(each.key, each.value, each.display_name) for each in choices] == [
        ("provider", "AWS", "AWS"),
        ("provider", "Google", "Google"),
    ]
    assert groups.metric_filters(choices) == {"provider": ["AWS", "Google"]}
    assert choices[0].filter_values == {"provider": ["AWS"]}


def test_two_levels_are_two_filters_and_their_pairs():
    choices = groups.read(TWO_LEVELS)
    assert [(each.key, each.value, each.display_name) for each in choices] == [
        ("region", "Europe", "AWS • Europe"),
        ("region", "Asia", "AWS • Asia"),
        ("region", "Europe", "Google • Europe"),
    ]
    assert groups.metric_filters(choices) == {"provider": ["AWS", "Google"], "region": ["Europe", "Asia"]}
    assert choices[2].filter_values == {"provider": ["Google"], "region": ["Europe"]}


def test_a_group_takes_events_of_parent_and_child():
    choices = groups.read(TWO_LEVELS)
    filters = [Filter(each.filter_values) for each in choices]
    readings = [
        reading("2024-09-01", provider="AWS", region="Europe"),
        reading("2024-09-02", provider="Google", region="Europe"),
        reading("2024-09-03", provider="Google", region="Asia"),
        reading("2024-09-04", provider="AWS"),
        reading("2024-09-05", provider="aws", region="Europe"),
    ]
    assert split(readings, filters, None, groups.metric_filters(choices)) == {
        Bucket(0): [readings[0]],
        Bucket(1): [],
        Bucket(2): [readings[1]],
    }


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        {"key": 1, "values": ["a"]},
        {"key": "k"},
        {"key": "k", "values": "a"},
        {"key": "k", "values": []},
        {"key": "k", "values": ["a", 1]},
        {"key": "k", "values": ["a", {"name": "b", "key": "c", "values": ["d"]}]},
        {"key": "k", "values": [{"key": "c", "values": ["d"]}]},
        {"key": "k", "values": [{"name": "b", "key": "c", "values": [1]}]},
        {"key": "k", "values": [{"name": "b", "key": "c", "values": []}]},
        {"key": "k", "values": [{"name": "b", "key": 3, "values": ["d"]}]},
        {"key": "k", "values": [{"name": "b", "key": "k", "values": ["d"]}]},
    ],
)
def test_any_other_shape_is_refused(given):
    with pytest.raises(Invalid) as refused:
        groups.read(given)
    assert refused.value.details == {"group": ["value_is_invalid"]}
