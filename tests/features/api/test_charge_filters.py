"""Filters of charges: their checks, and which filter is which. Source: rules/usage 4.2; rules/catalog 2."""

import pytest

from chalicelib.domain.errors import NotFound
from chalicelib.features.plans.parts.charge_filters import FilterPatch
from tests.support.charge_filters import GROUPED, built, kept, metric_with, priced
from tests.support.charging import ALL

# Checks.


@pytest.mark.parametrize(
    "values",
    [
        {"cloud": ["aws"]},
        {"cloud": ["aws", "gcp"], "region": ["eu"]},
        {"region": [ALL]},
        {"cloud": [ALL, "aws"]},
    ],
)
def test_what_a_filter_may_take(values):
    (made,), wrong = built(metric_with(), filters=[priced("2", "Name", **values)])
    assert wrong == {}
    assert ({key: list(v) for key, v in made.values.items()}, made.properties) == (values, {"amount": "2"})
    assert (made.invoice_display_name, made.group_id, made.parent_id) == ("Name", None, None)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"properties": {"amount": "1"}}, {"values": ["value_is_mandatory"]}),
        (priced() | {"values": None}, {"values": ["value_is_mandatory"]}),
        (priced(), {"values": ["value_is_mandatory"]}),
        (priced(cloud=[]), {"values": ["value_is_mandatory"]}),
        (priced(cloud=None), {"values": ["value_is_mandatory"]}),
        (priced(cloud="aws"), {"values": ["value_is_invalid"]}),
        (priced(cloud=[1]), {"values": ["value_is_invalid"]}),
        (priced() | {"values": ["cloud"]}, {"values": ["value_is_invalid"]}),
        (priced(cloud=["AWS"]), {"values": ["value_is_invalid"]}),
        (priced(cloud=["aws", "azure"]), {"values": ["value_is_invalid"]}),
        (priced(zone=["a"]), {"values": ["value_is_invalid"]}),
        (priced(zone=[ALL]), {"values": ["value_is_invalid"]}),
        ({"values": {"cloud": ["aws"]}}, {"properties": ["value_is_mandatory"]}),
        ({"values": {"cloud": ["aws"]}, "properties": {}}, {"properties": ["value_is_mandatory"]}),
        ({"values": {"cloud": ["aws"]}, "properties": []}, {"properties": ["value_is_invalid"]}),
        (priced(1, cloud=["aws"]), {"amount": ["invalid_amount"]}),
        (priced("-1", cloud=["x"]), {"amount": ["invalid_amount"], "values": ["value_is_invalid"]}),
        (priced(cloud=["aws"]) | {"invoice_display_name": []}, {"invoice_display_name": ["value_is_invalid"]}),
    ],
)
def test_what_a_filter_may_not_be(entry, wrong):
    assert built(metric_with(), filters=[priced(cloud=["gcp"]), entry]) == ((), wrong)


def test_properties_are_those_of_the_charges_model():
    volume = {"volume_ranges": [{"from_value": 0, "to_value": None, "per_unit_amount": "1", "flat_amount": "0"}]}
    entry = {"values": {"cloud": ["aws"]}, "properties": volume}
    (made,), wrong = built(metric_with(), model="volume", filters=[entry])
    assert (made.properties, wrong) == (volume, {})
    assert built(metric_with(), model="graduated", filters=[entry]) == (
        (),
        {"graduated_ranges": ["missing_graduated_ranges"]},
    )


def test_of_two_levels_only_pairs_that_exist_can_be_taken():
    metric = GROUPED
    for values, fits in [
        ({"cloud": ["aws"], "region": ["us"]}, True),
        ({"cloud": ["gcp"], "region": ["us"]}, False),
        ({"cloud": ["gcp"], "region": ["us", "eu"]}, True),
        ({"cloud": ["gcp"], "region": [ALL]}, True),
        ({"cloud": [ALL], "region": ["us"]}, True),
        ({"region": ["us"]}, True),
        ({"cloud": ["azure"]}, False),
    ]:
        assert (built(metric, filters=[priced(**values)])[1] == {}) is fits, values


@pytest.mark.parametrize(
    ("properties", "wrong"),
    [
        ({"pricing_group_keys": ["user", "team"]}, {}),
        ({"grouped_by": ["user"]}, {}),
        ({"grouped_by": [], "pricing_group_keys": None}, {}),
        ({"grouped_by": ["user"], "pricing_group_keys": ["user"]}, {}),
        ({"grouped_by": ["user"], "pricing_group_keys": ["team"]}, {"grouped_by": ["value_is_invalid"]}),
        ({"pricing_group_keys": "user"}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"pricing_group_keys": [1]}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"pricing_group_keys": [" "]}, {"pricing_group_keys": ["value_is_invalid"]}),
        ({"grouped_by": ["k" * 256]}, {"grouped_by": ["value_is_invalid"]}),
        ({"grouped_by": {"user": 1}, "amount": 1}, {"grouped_by": ["value_is_invalid"], "amount": ["invalid_amount"]}),
    ],
)
def test_group_keys_are_lists_of_names(properties, wrong):
    entry = {"values": {"cloud": ["aws"]}, "properties": {"amount": "1"} | properties}
    made, found = built(metric_with(), filters=[entry])
    assert found == wrong
    if not wrong:
        assert made[0].properties == entry["properties"]
        assert made[0].group_keys == tuple(properties.get("pricing_group_keys") or properties.get("grouped_by") or ())


# Which filter is which.


def test_filters_of_equal_values_stay_what_they_are():
    first, second = built(metric_with(), filters=[priced(cloud=["aws", "gcp"]), priced("2", region=["eu"])])[0]
    entries = [priced("9", cloud=["aws"]), priced("3", "x", region=["eu"]), priced("4", cloud=["gcp", "aws"])]
    after, wrong = built(metric_with(), kept(first, second), filters=entries)
    assert wrong == {}
    assert [f.id for f in after[:2]] == [first.id, second.id]  # In the order of their age.
    assert [f.properties["amount"] for f in after] == ["4", "3", "9"]
    assert (after[0].values, after[1].invoice_display_name) == ({"cloud": ("gcp", "aws")}, "x")
    assert after[2].id not in (first.id, second.id)


def test_identical_filters_stay_two():
    twice, wrong = built(metric_with(), filters=[priced("1", cloud=["aws"]), priced("2", cloud=["aws"])])
    assert wrong == {}
    assert len({f.id for f in twice}) == 2
    again, _ = built(metric_with(), kept(*twice), filters=[priced("3", cloud=["aws"]), priced("4", cloud=["aws"])])
    assert [(f.id, f.properties["amount"]) for f in again] == [(twice[0].id, "3"), (twice[1].id, "4")]


def test_an_id_names_a_filter_whatever_its_values():
    first, second = built(metric_with(), filters=[priced(cloud=["aws"]), priced(cloud=["gcp"])])[0]
    entries = [priced("5", cloud=["aws"]) | {"lago_id": second.id}, priced("6", region=["eu"]) | {"lago_id": "other"}]
    after, _ = built(metric_with(), kept(first, second), filters=entries)
    assert [f.properties["amount"] for f in after] == ["5", "6"]
    assert after[0].id == second.id
    assert after[1].id not in ("other", first.id, second.id)


def test_what_is_not_named_stays_and_null_clears():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    assert built(metric_with(), kept(*before)) == (before, {})
    assert built(metric_with(), kept(*before), filters=None) == ((), {})
    assert built(metric_with(), kept(*before), filters=[]) == ((), {})


def test_what_the_metric_lists_no_more_may_stay_but_not_come():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    fewer = metric_with([{"key": "cloud", "values": ["gcp"]}])
    after, wrong = built(fewer, kept(*before), filters=[priced("2", cloud=["aws"])])
    assert (after[0].id, wrong) == (before[0].id, {})
    named = priced("2", cloud=["aws", "gcp"]) | {"id": before[0].id}
    assert built(fewer, kept(*before), filters=[named]) == ((), {"values": ["value_is_invalid"]})


def test_filters_must_go_with_another_model_or_metric():
    before = built(metric_with(), filters=[priced(cloud=["aws"])])[0]
    assert built(metric_with(), kept(*before), model="volume") == ((), {"volume_ranges": ["missing_volume_ranges"]})
    old = kept(*before, metric_id="other")
    assert built(metric_with(), old)[0] == before
    assert built(metric_with([]), old) == ((), {"values": ["value_is_invalid"]})
    assert built(metric_with([]), old, filters=[priced(cloud=["aws"])]) == ((), {"values": ["value_is_invalid"]})


def test_one_filter_is_changed_beside_the_others():
    filters = built(metric_with(), filters=[priced(cloud=["aws"]), priced(cloud=["gcp"])])[0]
    changed = FilterPatch(filters[0].id, {"properties": {"amount": "7"}}).entries(filters)
    after, _ = built(metric_with(), kept(*filters), filters=changed)
    assert after == (filters[0].model_copy(update={"properties": {"amount": "7"}}), filters[1])
    added = FilterPatch(None, priced("8", cloud=["aws"]) | {"lago_id": filters[0].id, "id": filters[1].id})
    after, _ = built(metric_with(), kept(*filters), filters=added.entries(filters))
    assert after[:2] == filters
    assert (len(after), after[2].properties) == (3, {"amount": "8"})
    assert built(metric_with(), kept(*filters), filters=FilterPatch(filters[1].id, None).entries(filters))[0] == (
        filters[0],
    )
    with pytest.raises(NotFound, match="charge_filter_not_found"):
        FilterPatch("x", {}).entries(filters)
