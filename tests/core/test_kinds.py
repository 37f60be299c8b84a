"""Kinds of values in the RFC's notation (RFC 8620 §1.1 to §1.4)."""

from __future__ import annotations

import calendar
import re
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.core.json import loads
from jmaplite.core.kinds import Checker, compile_kind, is_id, utc_date, utc_seconds

ADDRESS = {"EmailAddress": {"name": "String|null", "email": "String"}}


def holds(kind: str, value: Any, records: Any = None) -> bool:
    result = compile_kind(kind, records)(value)
    assert isinstance(result, bool)
    return result


SAMPLES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "-1": -1,
    "0.5": 0.5,
    "text": "a b",
    "id": "a1",
    "date": "2014-10-30T14:12:00+08:00",
    "utc": "2014-10-30T06:12:00Z",
    "[]": [],
    "{}": {},
}


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("*", set(SAMPLES)),
        ("null", {"null"}),
        ("Boolean", {"true", "false"}),
        ("String", {"text", "id", "date", "utc"}),
        ("Number", {"0", "-1", "0.5"}),
        ("Int", {"0", "-1"}),
        ("UnsignedInt", {"0"}),
        ("Id", {"id"}),
        ("Date", {"date", "utc"}),
        ("UTCDate", {"utc"}),
        ("Object", {"{}"}),
        ("String[]", {"[]"}),
        ("String[*]", {"{}"}),
        ("Id[Boolean]", {"{}"}),
        ("Id|null", {"id", "null"}),
        ("null|Id", {"id", "null"}),
        ("Int|Boolean|null", {"0", "-1", "true", "false", "null"}),
        ("(Int|String)[]", {"[]"}),
    ],
)
def test_a_kind_holds_its_own_values_and_no_others(kind: str, members: set[str]) -> None:
    assert {name for name, value in SAMPLES.items() if holds(kind, value)} == members


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("Id[]", ["a", "B-_9"], ["a", "#b"]),
        ("Id[]", ["a"], ["a", b"b"]),
        ("Id[]", ["a"], [["a"]]),
        ("String[]", ["", "#"], ["", 1]),
        ("Int[]", [1, -1], [1, True]),
        ("(Int|String)[]", [1, "a"], [1, None]),
        ("Int|String[]", 1, [1]),
        ("Int|String[]", ["a"], "a"),
        ("String[Boolean]", {"": True}, {"": 1}),
        ("Id[Boolean]|null", {"a": True}, {"": True}),
        ("Id[Id[]]", {"a": ["b"]}, {"a": "b"}),
        ("Id[Int|null]", {"a": None}, {"a": "b"}),
        ("Id[Boolean][]", [{"a": True}], {"a": True}),
        ("Int[][]", [[1], []], [1]),
        ("String[*]", {"a": [None]}, ["a"]),
    ],
)
def test_arrays_and_maps_are_checked_through_and_through(kind: str, good: Any, bad: Any) -> None:
    assert holds(kind, good)
    assert not holds(kind, bad)


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("a", True),
        ("A" * 255, True),
        (string.ascii_letters + string.digits + "-_", True),
        ("-", True),
        ("NIL", True),
        ("", False),
        ("a" * 256, False),
        ("a=", False),
        ("#a", False),
        ("a b", False),
        ("a+b", False),
        ("a/b", False),
        ("é", False),
        ("١", False),
        ("a\n", False),
        ("a\x00", False),
        (1, False),
        (None, False),
    ],
)
def test_an_id_is_1_to_255_characters_of_the_url_safe_alphabet(value: Any, good: bool) -> None:
    assert is_id(value) is good
    assert holds("Id[]", [value]) is good
    assert holds("Id[*]", {value: 1}) is good


@pytest.mark.parametrize(("kind", "low"), [("Int", -(2**53) + 1), ("UnsignedInt", 0)])
def test_integers_end_where_doubles_are_no_longer_safe(kind: str, low: int) -> None:
    assert holds(kind, low)
    assert not holds(kind, low - 1)
    assert holds(kind, 2**53 - 1)
    assert not holds(kind, 2**53)


def test_an_integer_may_be_written_with_a_point_or_an_exponent() -> None:
    assert compile_kind("Int[]")(loads(b"[1.0,-1.00,1e3,1.5e1]"))
    assert not compile_kind("Int")(loads(b"1.5"))
    assert not compile_kind("Int")(loads(b"9007199254740992.0"))
    assert not compile_kind("UnsignedInt")(loads(b"-1.0"))
    assert compile_kind("UnsignedInt")(loads(b"-0.0"))


@pytest.mark.parametrize(
    "value",
    [
        "2014-10-30T14:12:00+08:00",
        "2014-10-30T06:12:00Z",
        "1985-04-12T23:20:50.52Z",
        "1996-12-19T16:39:57-08:00",
        "1937-01-01T12:00:27.87+00:20",
        "2000-02-29T00:00:00Z",
        "2024-02-29T00:00:00.000001Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "2014-10-30T06:12:00-00:00",
        "2014-10-30T06:12:00.10Z",
        "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00",
        "2015-07-01T01:59:60+02:00",
        "2015-06-30T23:59:60.5Z",
    ],
)
def test_a_date_is_an_rfc_3339_date_time(value: str) -> None:
    assert holds("Date", value)
    assert holds("UTCDate", value) is value.endswith("Z")


@pytest.mark.parametrize(
    "value",
    [
        "2014-10-30t14:12:00Z",
        "2014-10-30T14:12:00z",
        "2014-10-30 14:12:00Z",
        "2014-10-30T14:12:00",
        "2014-10-30T14:12Z",
        "2014-10-30",
        "2014-10-30T14:12:00.0Z",
        "2014-10-30T14:12:00.000+01:00",
        "2014-10-30T14:12:00.Z",
        "2014-10-30T14:12:00,5Z",
        "2014-13-30T14:12:00Z",
        "2014-00-30T14:12:00Z",
        "2014-10-00T14:12:00Z",
        "2014-10-32T14:12:00Z",
        "2014-09-31T14:12:00Z",
        "2014-02-29T14:12:00Z",
        "1900-02-29T14:12:00Z",
        "2014-10-30T24:00:00Z",
        "2014-10-30T14:60:00Z",
        "2014-10-30T14:12:61Z",
        "2014-10-30T14:12:60Z",
        "2014-10-31T23:59:60Z",
        "2015-06-30T12:59:60Z",
        "2014-12-31T23:59:60-08:00",
        "0000-01-01T00:00:60Z",
        "9999-12-31T23:59:60Z",
        "2014-10-30T14:12:00+0800",
        "2014-10-30T14:12:00+08",
        "2014-10-30T14:12:00+24:00",
        "2014-10-30T14:12:00+08:60",
        "14-10-30T14:12:00Z",
        "+2014-10-30T14:12:00Z",
        "12014-10-30T14:12:00Z",
        "2014-10-30T14:12:00Z\n",
        "２014-10-30T14:12:00Z",
        "",
    ],
)
def test_what_the_rfcs_do_not_allow_is_no_date(value: str) -> None:
    assert not holds("Date", value)
    assert not holds("UTCDate", value)
    with pytest.raises(ValueError, match="Date"):
        utc_seconds(value)


@given(st.datetimes(), st.integers(-1439, 1439))
def test_seconds_of_a_date_are_those_of_the_calendar(moment: datetime, offset: int) -> None:
    moment = moment.replace(microsecond=0)
    sign = "-" if offset < 0 else "+"
    text = f"{moment.isoformat()}{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    assert utc_seconds(text) == calendar.timegm(moment.timetuple()) - offset * 60


@given(st.datetimes())
def test_a_utc_date_comes_from_its_seconds(moment: datetime) -> None:
    text = moment.replace(microsecond=0).isoformat() + "Z"
    assert utc_date(calendar.timegm(moment.timetuple())) == text


@given(st.integers(-62_167_219_200, 253_402_300_799))
def test_a_utc_date_holds_its_seconds(seconds: int) -> None:
    text = utc_date(seconds)
    assert holds("UTCDate", text)
    assert utc_seconds(text) == seconds
    if seconds >= -62_135_596_800:
        expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        assert text == expected.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def test_the_year_0000_is_a_leap_year_before_the_year_0001() -> None:
    assert utc_date(-62_167_219_200) == "0000-01-01T00:00:00Z"
    assert utc_seconds("0001-01-01T00:00:00Z") - utc_seconds("0000-01-01T00:00:00Z") == 366 * 86400


@pytest.mark.parametrize("seconds", [-62_167_219_201, 253_402_300_800, 10**30, -(10**30)])
def test_a_year_of_more_than_four_digits_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="four digits"):
        utc_date(seconds)


def test_fractions_of_seconds_are_kept() -> None:
    assert utc_seconds("1970-01-01T00:00:01.25Z") == 1.25
    assert isinstance(utc_seconds("1970-01-01T00:00:01Z"), int)


def test_a_leap_second_counts_as_the_second_after_it() -> None:
    assert utc_seconds("1990-12-31T23:59:60Z") == utc_seconds("1991-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ({"name": "Ann", "email": "a@b"}, True),
        ({"name": None, "email": "a@b"}, True),
        ({"email": "a@b"}, True),
        ({"name": "Ann"}, False),
        ({"name": "Ann", "email": None}, False),
        ({"name": "Ann", "email": "a@b", "x": 1}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_record_has_all_its_members_but_those_that_may_be_null_and_no_others(value: Any, good: bool) -> None:
    assert holds("EmailAddress", value, ADDRESS) is good
    assert holds("EmailAddress[]|null", [value], ADDRESS) is good
    assert holds("Id[EmailAddress]", {"a": value}, ADDRESS) is good


def test_a_member_with_a_question_mark_may_be_left_out_but_not_be_null() -> None:
    comparator = {"Comparator": {"property": "String", "isAscending?": "Boolean"}}
    assert holds("Comparator", {"property": "a"}, comparator)
    assert holds("Comparator", {"property": "a", "isAscending": False}, comparator)
    assert not holds("Comparator", {"property": "a", "isAscending": None}, comparator)
    assert not holds("Comparator", {"property": "a", "isAscending?": True}, comparator)


@pytest.mark.parametrize("kind", ["*", "String[Int|null]|null", "(String|null)"])
def test_a_member_may_be_left_out_if_null_is_of_its_kind(kind: str) -> None:
    assert holds("R", {}, {"R": {"m": kind}})


@pytest.mark.parametrize("kind", ["String[Int|null]", "(Int|null)[]", "Int"])
def test_null_further_in_does_not_make_a_member_optional(kind: str) -> None:
    assert not holds("R", {}, {"R": {"m": kind}})


def test_records_may_hold_others_and_themselves() -> None:
    records = {"Part": {"partId": "Id", "to": "EmailAddress[]|null", "subParts": "Part[]|null"}} | ADDRESS
    part = {
        "partId": "1",
        "subParts": [{"partId": "2", "to": [{"email": "a"}]}, {"partId": "3", "subParts": []}],
    }
    assert holds("Part", part, records)
    part["subParts"][0]["to"] = [{}]  # type: ignore[index]
    assert not holds("Part", part, records)


def test_records_nested_as_deeply_as_json_may_be_are_checked() -> None:
    checker = compile_kind("Part", {"Part": {"subParts": "(Part|Int)[]|null"}})
    value: Any = {"subParts": [1]}
    for _ in range(124):
        value = {"subParts": [value]}
    assert checker(value)


def test_a_name_may_stand_for_a_checker_of_its_own() -> None:
    records: dict[str, Checker] = {"Even": lambda value: type(value) is int and value % 2 == 0}
    assert holds("Even[]|null", [2, 4], records)
    assert not holds("Even[]|null", [2, 3], records)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "Strin",
        "string",
        "Foo",
        "Id[Foo]",
        "Id[",
        "Id[]]",
        "[]",
        "|Id",
        "Id|",
        "Id Id",
        "Id[Int",
        "(Id",
        "Id)",
        "?",
        "Id[]x",
        "Id[Int,Int]",
    ],
)
def test_a_kind_that_cannot_be_read_fails_when_it_is_compiled(kind: str) -> None:
    with pytest.raises(ValueError, match=re.escape("kind")):
        compile_kind(kind)


def test_a_record_with_an_unknown_kind_fails_when_it_is_compiled() -> None:
    with pytest.raises(ValueError, match="unknown kind 'Nope'"):
        compile_kind("R[]", {"R": {"m": "Nope|null"}})
