"""The rules by which layers become one, for any layers."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from model.merge import merged

KEYS = st.sampled_from(["a", "b", "c", "grows"])
SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["x", "y"])
VALUES = st.recursive(
    SCALARS | st.lists(st.sampled_from("xyz"), max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
LAYERS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=4)
GROWS = frozenset({"grows", "a.grows"})


def nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(nulls(one) for one in value.values())
    return value is None


@given(LAYERS)
def test_no_null_is_left(layers: list[dict[str, Any]]) -> None:
    assert not nulls(merged(layers, GROWS))


@given(LAYERS)
def test_the_layers_stay_as_they_were(layers: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(layers)
    first = merged(layers, GROWS)
    assert layers == before
    assert merged(layers, GROWS) == first


@given(LAYERS, st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_the_last_layer_says_holds(layers: list[dict[str, Any]], last: dict[str, Any]) -> None:
    result = merged([*layers, last], GROWS)
    for key, value in last.items():
        if value is None:
            assert key not in result
        elif isinstance(value, list) and key == "grows":
            assert set(value) <= set(result[key])
        elif isinstance(value, list):
            assert result[key] == value, "a list replaces the earlier one whole, repeats included"
        elif not isinstance(value, dict):
            assert result[key] == value


@given(LAYERS, st.dictionaries(KEYS, VALUES, max_size=4))
def test_what_the_last_layer_does_not_name_is_kept(layers: list[dict[str, Any]], last: dict[str, Any]) -> None:
    before, after = merged(layers, GROWS), merged([*layers, last], GROWS)
    assert {key: value for key, value in before.items() if key not in last} == {
        key: value for key, value in after.items() if key not in last
    }


@given(LAYERS, LAYERS)
def test_layers_may_be_merged_in_steps_where_nothing_is_taken_away(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    if any(nulls(layer) for layer in (*first, *second)):
        return
    assert merged([merged(first, GROWS), merged(second, GROWS)], GROWS) == merged([*first, *second], GROWS)


def test_mappings_merge_deep_and_lists_replace() -> None:
    layers = [{"machine": {"udev": {"x": 1}, "env": {"a": "1", "b": "2"}, "pods": [1, 2]}}, {"machine": {"pods": [3]}}]
    assert merged(layers) == {"machine": {"udev": {"x": 1}, "env": {"a": "1", "b": "2"}, "pods": [3]}}


def test_a_list_that_grows_keeps_its_order_and_holds_nothing_twice() -> None:
    layers = [{"cert_sans": ["b", "a"]}, {"cert_sans": ["a", "c"]}]
    assert merged(layers) == {"cert_sans": ["b", "a", "c"]}


def test_null_takes_away_a_key_a_mapping_and_a_list_that_grows() -> None:
    low = {"sysctls": {"x": "1", "y": "2"}, "labels": {"a": "b"}, "cert_sans": ["a"]}
    assert merged([low, {"sysctls": {"x": None}, "labels": None, "cert_sans": None}]) == {"sysctls": {"y": "2"}}
