"""PatchObject (RFC 8620 §5.3)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.errors import SetError
from jmaplite.core.patch import MAX_DEPTH, apply, touched

TODO: dict[str, Any] = {
    "id": "a",
    "title": "Practise Piano",
    "keywords": {"music": True, "beethoven": True, "mozart": True, "liszt": True, "rachmaninov": True},
    "neuralNetworkTimeEstimation": 3600,
    "subTodoIds": ["b"],
    "alerts": {"1": {"offset": 5, "action": {"kind": "sound"}}, "a/b": {"x": 1}, "m~n": {"x": 1}},
    "note": None,
}
DEFAULTS: dict[str, Any] = {"keywords": {}, "subTodoIds": None, "absent": "there"}


def invalid(patch: dict[str, Any], current: dict[str, Any] = TODO) -> str:
    with pytest.raises(SetError) as error:
        apply(current, patch, DEFAULTS)
    assert error.value.type == "invalidPatch"
    assert error.value.description
    return error.value.description


def test_the_minimal_patch_of_the_rfc_does_what_the_whole_object_does() -> None:
    keywords = {"music": True, "beethoven": True, "chopin": True, "liszt": True, "rachmaninov": True}
    whole = {**TODO, "keywords": keywords}
    assert apply(TODO, whole, {"note": None}) == whole
    assert apply(TODO, {"keywords/chopin": True, "keywords/mozart": None}, {}) == whole


def test_what_the_patch_leaves_alone_is_the_same_object() -> None:
    result = apply(TODO, {"alerts/1/offset": 6}, {})
    assert result["alerts"]["1"] == {"offset": 6, "action": {"kind": "sound"}}
    assert TODO["alerts"]["1"]["offset"] == 5
    assert result["keywords"] is TODO["keywords"]
    assert result["alerts"]["1"]["action"] is TODO["alerts"]["1"]["action"]


@pytest.mark.parametrize("value", [False, 0, "", [], {}, {"a": None}, [None], "x"])
def test_any_value_but_null_is_set(value: Any) -> None:
    assert apply(TODO, {"title": value}, DEFAULTS)["title"] == value
    assert apply(TODO, {"new": value}, DEFAULTS)["new"] == value
    assert apply(TODO, {"alerts/new": value}, DEFAULTS)["alerts"]["new"] == value


def test_null_sets_the_default_of_a_property_that_has_one() -> None:
    result = apply(TODO, {"keywords": None, "subTodoIds": None}, DEFAULTS)
    assert result["keywords"] == {}
    assert result["subTodoIds"] is None
    assert "subTodoIds" in result


def test_a_default_is_not_shared_with_the_record() -> None:
    result = apply(TODO, {"keywords": None}, DEFAULTS)
    result["keywords"]["x"] = True
    assert DEFAULTS["keywords"] == {}


def test_null_removes_what_has_no_default() -> None:
    assert "title" not in apply(TODO, {"title": None}, DEFAULTS)
    assert "offset" not in apply(TODO, {"alerts/1/offset": None}, DEFAULTS)["alerts"]["1"]


def test_defaults_are_those_of_properties_not_of_what_is_in_them() -> None:
    current = {"a": {"keywords": 1}}
    assert apply(current, {"a/keywords": None}, DEFAULTS) == {"a": {}}


def test_null_for_what_is_not_there_does_nothing() -> None:
    assert apply(TODO, {"nope": None, "absent": None, "alerts/nope": None, "alerts/1/nope": None}, DEFAULTS) == TODO


def test_an_empty_patch_changes_nothing() -> None:
    assert apply(TODO, {}, DEFAULTS) == TODO


@pytest.mark.parametrize("pointer", ["subTodoIds/0", "subTodoIds/-", "subTodoIds/0/x", "subTodoIds/b"])
@pytest.mark.parametrize("value", ["c", None])
def test_a_pointer_into_an_array_is_invalid(pointer: str, value: Any) -> None:
    assert "array" in invalid({pointer: value})


@pytest.mark.parametrize(
    "pointer",
    ["nope/a", "alerts/2/offset", "alerts/1/nope/a", "absent/a", "title/a", "note/a", "/a", "alerts//offset"],
)
@pytest.mark.parametrize("value", ["c", None])
def test_all_parts_but_the_last_must_be_objects_that_exist(pointer: str, value: Any) -> None:
    invalid({pointer: value})


def test_a_part_that_another_patch_would_make_does_not_exist_yet() -> None:
    invalid({"alerts/2": {}, "alerts/2/offset": 1})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alerts/1/offset", "alerts"),
        ("alerts/1", "alerts/1/offset"),
        ("a", "a/b"),
        ("alerts", "alerts/"),
        ("", "/"),
    ],
)
@pytest.mark.parametrize("values", [(1, 2), (None, 1), (1, None), (None, None), ({}, {})])
def test_no_pointer_may_be_the_prefix_of_another(one: str, other: str, values: tuple[Any, Any]) -> None:
    current = {"alerts": {"1": {"offset": 1}, "": 1}, "a": {"b": 1}, "": {"": 1}}
    invalid({one: values[0], other: values[1]}, current)
    invalid({other: values[1], one: values[0]}, current)


def test_a_prefix_is_one_of_tokens_not_of_letters() -> None:
    current = {"a": 1, "ab": {"c": 1, "cd": 1}}
    assert apply(current, {"a": 2, "ab/c": 2, "ab/cd": 3}, {}) == {"a": 2, "ab": {"c": 2, "cd": 3}}


def test_pointers_are_unescaped() -> None:
    result = apply(TODO, {"alerts/a~1b/x": 2, "alerts/m~0n/x": 3, "alerts/~01": 4}, DEFAULTS)
    assert result["alerts"]["a/b"] == {"x": 2}
    assert result["alerts"]["m~n"] == {"x": 3}
    assert result["alerts"]["~1"] == 4


@pytest.mark.parametrize("pointer", ["alerts/~", "alerts/~2", "~", "title~", "a~~0", "~/a"])
def test_a_tilde_that_escapes_nothing_is_no_json_pointer(pointer: str) -> None:
    assert "JSON Pointer" in invalid({pointer: 1})
    with pytest.raises(SetError, match="JSON Pointer"):
        touched({pointer: 1})


def test_an_empty_token_is_a_name_like_any_other() -> None:
    assert apply({"": {"": 1}}, {"/": 2}, {}) == {"": {"": 2}}
    assert apply({}, {"": 2}, {}) == {"": 2}


def test_a_pointer_has_a_greatest_length() -> None:
    current: dict[str, Any] = {}
    for _ in range(MAX_DEPTH + 1):
        current = {"a": current}
    assert apply(current, {"/".join("a" * MAX_DEPTH): 1}, {})
    assert invalid({"/".join("a" * (MAX_DEPTH + 1)): 1}, current) == "a pointer is too long"
    assert invalid({"a/" * 1_000_000: 1}, current) == "a pointer is too long"


def test_descriptions_do_not_repeat_long_input() -> None:
    for patch in (
        {"x" * 1_000_000: 1, "x" * 1_000_000 + "/a": 1},
        {"y" * 1_000_000 + "/a": 1},
        {"~" * 100_000: 1},
    ):
        assert len(invalid(patch)) < 500


def test_touched_names_each_property_with_the_patches_below_it() -> None:
    patch: dict[str, Any] = {"keywords/$seen": True, "keywords/a~1b": None, "title": "x", "m~0n/1/2": {}}
    assert touched(patch) == {
        "keywords": [(("$seen",), True), (("a/b",), None)],
        "title": [((), "x")],
        "m~n": [(("1", "2"), {})],
    }


names = st.sampled_from(["a", "b", "", "~", "/", "0", "~1"])
leaves = st.none() | st.booleans() | st.integers(0, 3)
records = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
pointers = st.lists(names, min_size=1, max_size=4).map(
    lambda tokens: "/".join(token.replace("~", "~0").replace("/", "~1") for token in tokens)
) | st.text("ab~/01", max_size=6)


def expected(current: Any, patch: dict[str, Any], defaults: dict[str, Any]) -> Any:
    """The RFC's rules one after the other on a deep copy; None where one is broken."""
    paths = []
    for pointer, value in patch.items():
        if any(pointer[i : i + 2] not in ("~0", "~1") for i, c in enumerate(pointer) if c == "~"):
            return None
        paths.append(([token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")], value))
    for i, (one, _) in enumerate(paths):
        for j, (other, _) in enumerate(paths):
            if i != j and other[: len(one)] == one:
                return None
    result = copy.deepcopy(current)
    for path, value in paths:
        parent = result
        for token in path[:-1]:
            if not isinstance(parent, dict) or token not in parent:
                return None
            parent = parent[token]
        if not isinstance(parent, dict):
            return None
        if value is not None:
            parent[path[-1]] = value
        elif path[-1] in parent:
            if len(path) == 1 and path[0] in defaults:
                parent[path[0]] = defaults[path[0]]
            else:
                del parent[path[-1]]
    return result


@given(
    st.dictionaries(names, records, max_size=4),
    st.dictionaries(pointers, records, max_size=4),
    st.dictionaries(names, leaves, max_size=2),
)
def test_a_patch_gives_what_the_rules_give_or_an_error_and_leaves_the_record_as_it_was(
    current: dict[str, Any], patch: dict[str, Any], defaults: dict[str, Any]
) -> None:
    before = copy.deepcopy(current)
    result: dict[str, Any] | None
    try:
        result = apply(current, patch, defaults)
    except SetError:
        result = None
    assert current == before
    assert result == expected(current, patch, defaults)
    if result is not None:
        named = touched(patch)
        assert {name: value for name, value in result.items() if name not in named} == {
            name: value for name, value in current.items() if name not in named
        }
