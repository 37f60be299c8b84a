"""Strict I-JSON in, spliced JSON out (RFC 8620 §1.5, RFC 7493)."""

from __future__ import annotations

import json as stdlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.json import Fragment, NotJSON, dumps, loads, materialise


def is_character(character: str) -> bool:
    code = ord(character)
    return not (0xD800 <= code <= 0xDFFF or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE)


texts = st.text(st.characters(exclude_categories=["Cs"]).filter(is_character), max_size=8)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def refused(octets: bytes) -> str:
    with pytest.raises(NotJSON) as error:
        loads(octets)
    return str(error.value)


@given(values, st.booleans())
def test_any_i_json_value_comes_back_as_it_was(value: Any, ascii_only: bool) -> None:
    assert loads(stdlib.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(values)
def test_what_is_written_can_be_read_by_anyone(value: Any) -> None:
    assert stdlib.loads(dumps(value)) == value


@given(st.binary(max_size=40))
def test_octets_at_random_are_read_or_refused(octets: bytes) -> None:
    try:
        value = loads(octets)
    except NotJSON:
        return
    assert stdlib.loads(octets) == value


def write(value: Any, twice: int, escaped: bool, counter: list[int]) -> str:
    """JSON with the member of number `twice` (counted over all objects) written a second time."""
    if isinstance(value, dict):
        members = []
        for name, item in value.items():
            text = write(item, twice, escaped, counter)
            members.append(f"{stdlib.dumps(name)}:{text}")
            if counter[0] == twice:
                units = name.encode("utf-16-be").hex()
                again = "".join("\\u" + units[i : i + 4] for i in range(0, len(units), 4))
                members.append(f'"{again}":"\\u003a"' if escaped else f"{stdlib.dumps(name)}:{text}")
            counter[0] += 1
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(write(item, twice, escaped, counter) for item in value) + "]"
    return stdlib.dumps(value)


@given(values, st.data(), st.booleans())
def test_a_duplicate_member_is_refused_at_any_depth_however_it_is_written(
    value: Any, data: st.DataObject, escaped: bool
) -> None:
    value = {"a": value}
    counter = [0]
    write(value, -1, escaped, counter)
    twice = data.draw(st.integers(0, counter[0] - 1))
    text = write(value, twice, escaped, [0])
    assert "duplicate" in refused(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"b":2,"a":3}',
        '{"a":1,"\\u0061":2}',
        '[{"x":{"k":1,"k":{"z":2}}}]',
        # A colon that is escaped makes up for the one that the duplicate loses.
        '{"a":1,"a":1,"b":"\\u003a"}',
        '{"a":1,"a":1,"b":"\\u003A"}',
        '{"a:":1,"a\\u003a":1}',
        '{"é":1,"\\u00e9":1}',
        '{"":1,"":1}',
    ],
)
def test_names_are_compared_after_escapes(text: str) -> None:
    assert "duplicate" in refused(text.encode())


@pytest.mark.parametrize("text", ['{"a":{"a":{"a":":"}}}', '{"a":1,"A":1}', '{"\\u003a":":"}', '["\\\\u003a"]'])
def test_one_name_in_different_objects_is_no_duplicate(text: str) -> None:
    assert loads(text.encode()) == stdlib.loads(text)


def test_a_duplicate_is_named() -> None:
    assert refused(b'{"mailboxIds":1,"mailboxIds":2}') == "duplicate member 'mailboxIds'"


def test_a_syntax_error_says_where_it_is() -> None:
    assert "line 2 column 3" in refused(b'{"a":1,\n  b}')


@pytest.mark.parametrize(
    "octets",
    [
        b"\xef\xbb\xbf{}",
        b'["\xff"]',
        b'["\xc3"]',
        b'["\xc0\xaf"]',
        b'["\xed\xa0\x80"]',
        '["é"]'.encode("latin-1"),
        '["a"]'.encode("utf-16"),
        '["a"]'.encode("utf-16-le"),
    ],
)
def test_only_utf_8_without_a_byte_order_mark_is_json(octets: bytes) -> None:
    refused(octets)


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udead"', r'{"\udc00":1}', r'["\ud800\u0041"]', r'"\ud83d"'])
def test_an_escaped_lone_surrogate_is_refused_in_values_and_names(text: str) -> None:
    refused(text.encode())


def test_an_escaped_pair_of_surrogates_is_a_character() -> None:
    assert loads(rb'"\ud83d\ude00"') == "\U0001f600"
    assert loads(rb'"\ud800\udead"') == "\U000102ad"


NONCHARACTERS = [0xFDD0, 0xFDDE, 0xFDEF] + [plane * 0x10000 + end for plane in range(17) for end in (0xFFFE, 0xFFFF)]


@pytest.mark.parametrize("code", NONCHARACTERS)
@pytest.mark.parametrize("frame", ['["{}"]', '{{"{}":1}}', '"aé{}b"'])
def test_noncharacters_are_refused_raw_and_escaped(code: int, frame: str) -> None:
    for text in (frame.format(chr(code)), frame.format(stdlib.dumps(chr(code))[1:-1])):
        assert refused(text.encode()) == f"noncharacter U+{code:04X}"


@pytest.mark.parametrize("code", [0xFDCF, 0xFDF0, 0xFFFD, 0xFFFC, 0x1FFE, 0x1FFF, 0x10FFE, 0x1FFFD, 0x10FFFD, 0x2FFE])
def test_neighbours_of_noncharacters_are_characters(code: int) -> None:
    assert loads(f'"{chr(code)}"'.encode()) == chr(code)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "[NaN]", "1e400", "-1e400", "1" * 400, "9" * 100_000])
def test_a_number_beyond_a_double_is_refused(text: str) -> None:
    refused(text.encode())


@pytest.mark.parametrize(
    "text", ["01", "+1", ".5", "1.", "0x1", "1e", "--1", "", " ", "nul", "tru", "'a'", "[1,]", '{"a":1,}']
)
def test_what_json_does_not_have_is_refused(text: str) -> None:
    refused(text.encode())


@pytest.mark.parametrize(
    "text", ['"\n"', '"\x00"', '"\t"', '"\\x"', '"\\u12"', '"a', "[1", '{"a"', '{"a":', "[1]]", "1 2"]
)
def test_text_that_is_cut_off_or_not_escaped_is_refused(text: str) -> None:
    refused(text.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1),
        ("-0.0", 0),
        ("1e5", 100_000),
        ("2.50e1", 25),
        ('{"a":[5.0,0.5,{"b":-7.0}],"c":"1.0"}', {"a": [5, 0.5, {"b": -7}], "c": "1.0"}),
        ("9007199254740991.0", 2**53 - 1),
    ],
)
def test_a_number_without_a_fraction_is_an_int_however_it_is_written(text: str, value: Any) -> None:
    result = loads(text.encode())
    assert repr(result) == repr(value)


def test_a_number_keeps_its_fraction_and_its_magnitude() -> None:
    numbers = loads(b"[1.0,1.5,1e300,1e16]")
    assert numbers == [1, 1.5, 1e300, 1e16]
    assert [type(number) for number in numbers] == [int, float, float, float]
    assert loads(dumps(numbers)) == numbers


def test_nesting_is_limited() -> None:
    deep = b"[" * 254 + b"]" * 254
    assert dumps(loads(deep)) == deep
    for levels in (255, 1000, 1100, 1_000_000):
        refused(b"[" * levels + b"]" * levels)
        refused(b'{"a":' * levels + b"1" + b"}" * levels)
    refused(b"[" * 10_000_000)


def test_deep_nesting_with_an_escaped_colon_is_no_way_round() -> None:
    assert "duplicate" in refused(b'{"a":' * 250 + b'{"b":1,"b":1,"c":"\\u003a"}' + b"}" * 250)


def test_fragments_are_spliced_in_as_they_are() -> None:
    assert dumps({"list": [Fragment(b'{"id": "m1"}'), {"id": "m2"}]}) == b'{"list":[{"id": "m1"},{"id":"m2"}]}'


def test_a_lone_surrogate_goes_out_as_the_replacement_character() -> None:
    value = {"a\ud800": ["b\udfffc", ("\udc00",), Fragment(b"1"), 5, None]}
    assert loads(dumps(value)) == {"a\ufffd": ["b\ufffdc", ["\ufffd"], 1, 5, None]}


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {3}}, 2**64, b"octets"])
def test_what_json_cannot_hold_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_materialise_turns_fragments_into_plain_values_and_leaves_the_original() -> None:
    inner = {"list": [Fragment(b'{"id":"m1","n":[1,2]}')], "b": (1, 2)}
    assert materialise(inner) == {"list": [{"id": "m1", "n": [1, 2]}], "b": [1, 2]}
    assert isinstance(inner["list"][0], Fragment)


def test_materialise_refuses_a_fragment_that_is_not_json() -> None:
    with pytest.raises(ValueError, match="unexpected character"):
        materialise([Fragment(b"{nonsense")])


def test_the_smallest_double_is_a_number() -> None:
    assert loads(b"5e-324") == math.ulp(0.0)
