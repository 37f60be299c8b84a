"""References to previous method results (RFC 8620 §3.7)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core import json, references
from jmaplite.core.errors import MethodError
from jmaplite.core.json import Fragment
from jmaplite.core.references import Responses, resolve


def responses(*items: tuple[str, dict[str, Any], str], octets: int = 10_000) -> Responses:
    result = Responses(octets)
    for name, arguments, call_id in items:
        result.add(name, arguments, call_id)
    return result


def take(path: str, arguments: dict[str, Any]) -> Any:
    reference = {"resultOf": "t0", "name": "Foo/get", "path": path}
    return resolve({"#x": reference}, responses(("Foo/get", arguments, "t0")))["x"]


def error_of(arguments: dict[str, Any], earlier: Responses) -> str:
    with pytest.raises(MethodError) as error:
        resolve(arguments, earlier)
    assert error.value.description
    return error.value.type


def unresolved(path: str, arguments: dict[str, Any]) -> bool:
    reference = {"resultOf": "t0", "name": "Foo/get", "path": path}
    return error_of({"#x": reference}, responses(("Foo/get", arguments, "t0"))) == "invalidResultReference"


CHANGES = {"accountId": "A1", "created": ["f1", "f4"], "updated": [], "destroyed": []}
THREADS = {
    "list": [
        {"id": "trd194", "emailIds": ["msg1020", "msg1021", "msg1023"]},
        {"id": "trd114", "emailIds": ["msg201", "msg223"]},
    ],
    "notFound": [],
}


def test_the_simple_example_of_the_rfc() -> None:
    reference = {"resultOf": "t0", "name": "Foo/changes", "path": "/created"}
    result = resolve({"accountId": "A1", "#ids": reference}, responses(("Foo/changes", CHANGES, "t0")))
    assert result == {"accountId": "A1", "ids": ["f1", "f4"]}


def test_the_example_of_the_rfc_that_maps_and_flattens() -> None:
    earlier = responses(
        ("Email/query", {"ids": ["msg1023", "msg223"]}, "t0"),
        ("Email/get", {"list": [{"threadId": "trd194"}, {"threadId": "trd114"}]}, "t1"),
        ("Thread/get", THREADS, "t2"),
    )
    ids = {"resultOf": "t1", "name": "Email/get", "path": "/list/*/threadId"}
    assert resolve({"#ids": ids}, earlier) == {"ids": ["trd194", "trd114"]}
    ids = {"resultOf": "t2", "name": "Thread/get", "path": "/list/*/emailIds"}
    assert resolve({"accountId": "A1", "#ids": ids, "properties": ["from"]}, earlier) == {
        "accountId": "A1",
        "ids": ["msg1020", "msg1021", "msg1023", "msg201", "msg223"],
        "properties": ["from"],
    }


def test_arguments_without_references_are_left_alone() -> None:
    arguments = {"ids": ["#a"], "filter": {"#x": {"resultOf": "t0", "name": "a", "path": ""}}}
    assert resolve(arguments, responses()) == arguments


def test_only_names_at_the_top_are_references() -> None:
    reference = {"resultOf": "t0", "name": "Foo/changes", "path": "/created"}
    arguments = {"create": {"k1": {"#ids": reference}}, "#ids": reference}
    resolved = resolve(arguments, responses(("Foo/changes", CHANGES, "t0")))
    assert resolved == {"create": {"k1": {"#ids": reference}}, "ids": ["f1", "f4"]}


def test_an_argument_in_both_forms_is_an_invalid_argument_even_if_the_reference_does_not_resolve() -> None:
    reference = {"resultOf": "nope", "name": "Foo/changes", "path": "/created"}
    assert error_of({"ids": None, "#ids": reference}, responses()) == "invalidArguments"
    assert error_of({"#ids": 5, "ids": 5}, responses()) == "invalidArguments"


def test_the_first_response_with_the_call_id_counts() -> None:
    earlier = responses(("Foo/copy", {"a": 1}, "t0"), ("Foo/set", {"a": 2}, "t0"), ("Foo/copy", {"a": 3}, "t0"))
    assert resolve({"#x": {"resultOf": "t0", "name": "Foo/copy", "path": "/a"}}, earlier) == {"x": 1}
    second = {"resultOf": "t0", "name": "Foo/set", "path": "/a"}
    assert error_of({"#x": second}, earlier) == "invalidResultReference"


def test_the_name_must_be_that_of_the_response() -> None:
    earlier = responses(("error", {"type": "serverFail"}, "t0"))
    assert error_of({"#x": {"resultOf": "t0", "name": "Foo/get", "path": "/type"}}, earlier) == "invalidResultReference"
    assert resolve({"#x": {"resultOf": "t0", "name": "error", "path": "/type"}}, earlier) == {"x": "serverFail"}


def test_a_call_id_that_has_no_response_fails() -> None:
    assert error_of({"#x": {"resultOf": "t1", "name": "a", "path": ""}}, responses(("a", {}, "t0"))) == (
        "invalidResultReference"
    )


@pytest.mark.parametrize(
    "reference",
    [
        None,
        5,
        "t0",
        [],
        {},
        {"resultOf": "t0", "name": "Foo/get"},
        {"resultOf": "t0", "path": "/a"},
        {"name": "Foo/get", "path": "/a"},
        {"resultOf": 0, "name": "Foo/get", "path": "/a"},
        {"resultOf": "t0", "name": None, "path": "/a"},
        {"resultOf": "t0", "name": "Foo/get", "path": ["a"]},
        {"resultOf": "t0", "name": "Foo/get", "path": "/a", "more": 1},
    ],
)
def test_what_is_no_result_reference_does_not_resolve(reference: Any) -> None:
    earlier = responses(("Foo/get", {"a": 1}, "t0"))
    assert error_of({"#x": reference}, earlier) == "invalidResultReference"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_rfc_6901(path: str, value: Any) -> None:
    document = {
        "foo": ["bar", "baz"],
        "": 0,
        "a/b": 1,
        "c%d": 2,
        "e^f": 3,
        "g|h": 4,
        "i\\j": 5,
        'k"l': 6,
        " ": 7,
        "m~n": 8,
    }
    assert take(path, document) == value
    assert take("", document) == document


def test_an_escaped_tilde_is_not_the_beginning_of_another_escape() -> None:
    assert take("/~01", {"~1": "right", "/": "wrong"}) == "right"


@pytest.mark.parametrize("path", ["list", "~", "/~", "/~2", "/list~", "/list/~a", "#/list", " /list", "*", "/list/0~"])
def test_what_is_no_json_pointer_does_not_resolve(path: str) -> None:
    assert unresolved(path, {"list": [1], "~": 1, "~2": 1, "list~": 1})


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/list/nope",
        "/list/2",
        "/list/-",
        "/list/00",
        "/list/01",
        "/list/-1",
        "/list/+1",
        "/list/١",
        "/list/1 ",
        "/list/",
        "/list/" + "9" * 10_000,
        "/list/0/0",
        "/list/1/a",
        "/list/**",
        "/n/a",
        "/s/0",
        "/s/*",
        "/o/*",
        "/n/*",
        "/list/*/x",
    ],
)
def test_a_pointer_to_nothing_does_not_resolve(path: str) -> None:
    assert unresolved(path, {"list": ["a", "b"], "n": None, "s": "text", "o": {"x": 1}})


def test_a_pointer_may_point_at_null() -> None:
    assert take("/n", {"n": None}) is None
    assert take("/list/*/n", {"list": [{"n": None}, {"n": 1}]}) == [None, 1]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/a/*", [1, 2, [3], 4, {"x": 5}]),
        ("/o/*", "a star"),
        ("/o/*/x", None),
        ("/e/*", []),
        ("/e/*/nothing/at/all", []),
        ("/l/*/k", ["a", "b", "c"]),
        ("/l/*/k/0", ["a", "c"]),
        ("/l/*/k/*", ["a", "b", "c"]),
        ("/l/*/m", [[1], [2], 3]),
        ("/l/*/m/*", [1, 2, 3]),
        ("/l/*/m/*/*", None),
        ("/l/1/k/*", ["c"]),
        ("/t/*/*/*", [1, 2, 3]),
        ("/t/*/*", [1, 2, 3]),
        ("/t/*", [[1], [2], [3]]),
    ],
)
def test_a_star_maps_the_rest_over_an_array_and_flattens_each_result_once(path: str, value: Any) -> None:
    document = {
        "a": [1, [2, [3]], 4, {"x": 5}],
        "e": [],
        "o": {"*": "a star"},
        "l": [{"k": ["a", "b"], "m": [[1], [2]]}, {"k": ["c"], "m": [3]}],
        "t": [[[1], [2]], [[3]]],
    }
    if value is None:
        assert unresolved(path, document)
    else:
        assert take(path, document) == value


def test_one_item_that_does_not_resolve_fails_the_whole() -> None:
    assert unresolved("/list/*/a", {"list": [{"a": 1}, {"b": 1}]})


def test_fragments_are_looked_into() -> None:
    arguments = {
        "list": [Fragment(b'{"id":"a","ids":["x","y"]}'), {"id": "b", "ids": ["z"]}],
        "f": Fragment("[1,2]"),
    }
    assert take("/list/*/id", arguments) == ["a", "b"]
    assert take("/list/*/ids", arguments) == ["x", "y", "z"]
    assert take("/f/1", arguments) == 2
    assert take("", arguments)["list"][0] == {"id": "a", "ids": ["x", "y"]}


def test_a_response_is_made_plain_only_where_and_when_it_is_pointed_into_and_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def materialise(value: Any) -> Any:
        seen.append(value)
        return json.materialise(value)

    monkeypatch.setattr(references, "materialise", materialise)
    arguments = {"list": [Fragment(b"1")], "other": [Fragment(b"2")]}
    earlier = responses(("Foo/get", arguments, "t0"))
    resolve({"a": 1}, earlier)
    assert seen == []
    for path in ("/list", "/list/0", "/list/*"):
        resolve({"#x": {"resultOf": "t0", "name": "Foo/get", "path": path}}, earlier)
    assert seen == [arguments["list"]]
    assert isinstance(arguments["list"][0], Fragment)


def test_what_a_request_may_take_is_bounded_in_octets() -> None:
    earlier = responses(("Foo/get", {"s": "x" * 98}, "t0"), octets=1000)
    reference = {"resultOf": "t0", "name": "Foo/get", "path": "/s"}
    for _ in range(10):
        resolve({"#x": reference}, earlier)
    assert error_of({"#x": reference}, earlier) == "invalidResultReference"


def test_walking_costs_even_where_nothing_comes_out() -> None:
    earlier = responses(("Foo/get", {"list": [[]] * 1000}, "t0"), octets=10_000)
    reference = {"resultOf": "t0", "name": "Foo/get", "path": "/list/*"}
    for _ in range(9):
        assert resolve({"#x": reference}, earlier) == {"x": []}
    assert error_of({"#x": reference, "#y": reference}, earlier) == "invalidResultReference"


def test_references_that_double_with_each_call_come_to_an_end() -> None:
    earlier = Responses()
    earlier.add("Core/echo", {"a": "x" * 1000}, "0")

    def double(number: int) -> None:
        reference = {"resultOf": str(number), "name": "Core/echo", "path": ""}
        doubled = resolve({"#a": reference, "#b": reference}, earlier)
        earlier.add("Core/echo", doubled, str(number + 1))

    for number in range(12):
        double(number)
    with pytest.raises(MethodError, match="more than the server is willing"):
        double(12)


def test_a_path_of_many_stars_into_deep_arrays_is_followed() -> None:
    value: Any = "end"
    for _ in range(240):
        value = [value]
    assert take("/a" + "/*" * 239, {"a": value}) == ["end"]
    assert take("/a" + "/*" * 240, {"a": value}) == ["end"]
    assert unresolved("/a" + "/*" * 100_000, {"a": value})


def test_descriptions_do_not_repeat_long_input() -> None:
    long = "x" * 1_000_000
    earlier = responses(("a", {}, "t0"))
    for arguments in (
        {"#" + long: 1},
        {"#" + long: 1, long: 1},
        {"#x": {"resultOf": long, "name": "a", "path": ""}},
        {"#x": {"resultOf": "t0", "name": long, "path": ""}},
        {"#x": {"resultOf": "t0", "name": "a", "path": "/" + long}},
    ):
        with pytest.raises(MethodError) as error:
            resolve(arguments, earlier)
        assert len(str(error.value)) < 300


names = st.sampled_from(["a", "b", "0", "*", "-", "", "~", "/"])
documents = st.recursive(
    st.none() | st.integers(0, 9) | st.just("text"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=15,
)
paths = st.lists(st.sampled_from(["a", "b", "0", "1", "00", "*", "-", "", "~0", "~1", "~", "~01"]), max_size=5).map(
    lambda tokens: "".join("/" + token for token in tokens)
)


class Failed(Exception):
    """The model's evaluation fails."""


def evaluate(value: Any, tokens: list[str]) -> Any:
    """The words of the RFC, one token after the other."""
    if not tokens:
        return value
    token, rest = tokens[0], tokens[1:]
    if re.search("~(?![01])", token):
        raise Failed
    name = token.replace("~1", "/").replace("~0", "~")
    if isinstance(value, dict) and name in value:
        return evaluate(value[name], rest)
    if isinstance(value, list) and token == "*":
        results = [evaluate(item, rest) for item in value]
        return [item for result in results for item in (result if isinstance(result, list) else [result])]
    if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", token) and int(token) < len(value):
        return evaluate(value[int(token)], rest)
    raise Failed


@given(st.dictionaries(names, documents, max_size=3), paths)
def test_any_path_gives_what_the_words_of_the_rfc_give(document: dict[str, Any], path: str) -> None:
    tokens = path.split("/")[1:]
    try:
        if any(re.search("~(?![01])", token) for token in tokens):
            raise Failed
        expected = evaluate(document, tokens)
    except Failed:
        assert unresolved(path, document)
    else:
        assert take(path, document) == expected
