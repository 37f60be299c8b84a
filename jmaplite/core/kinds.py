"""The RFC's notation for kinds of values, compiled into checkers (RFC 8620 §1.1 to §1.4).

A checker is called with a value out of `core.json.loads`, where a number without a fraction is an int however
it was written: JSON knows one type of number only (RFC 8259 §6), so 1.0 is as good an Int as 1. A Boolean is
no number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Checker = Callable[[Any], bool]
"""Whether a value is of a kind."""

Records = Mapping[str, "Mapping[str, str] | Checker"]
"""Kinds by their names: the members of an object with their kinds, or a checker of its own.

A member may be left out if null is of its kind (RFC 8620 §3.5) or its name is written with a `?` behind.
Members that are not listed are refused (§3.9).
"""

MAX_INT = 2**53 - 1

_id = re.compile(r"[A-Za-z0-9_-]{1,255}").fullmatch
_date = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
).fullmatch
_token = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*|\[\]|[*|\[\]()])")
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_LEAP_SECONDS = ((6, 30), (12, 31))


def is_id(value: Any) -> bool:
    """Id: 1 to 255 letters, digits, hyphens and underscores of ASCII (RFC 8620 §1.2)."""
    return type(value) is str and _id(value) is not None


def is_date(value: Any) -> bool:
    """Date: an RFC 3339 date-time, letters in upper case, no zero fraction (RFC 8620 §1.4)."""
    return type(value) is str and _seconds(value) is not None


def is_utc_date(value: Any) -> bool:
    """UTCDate: a Date whose offset is written Z (RFC 8620 §1.4)."""
    return type(value) is str and value[-1:] == "Z" and _seconds(value) is not None


def utc_seconds(value: str) -> int | float:
    """Seconds since the epoch of a Date or UTCDate; int if it has no fraction. Raises ValueError for others.

    A leap second counts as the second after it, as POSIX has it.
    """
    seconds = _seconds(value)
    if seconds is None:
        raise ValueError("not a Date")
    return seconds


def utc_date(seconds: int) -> str:
    """The UTCDate of seconds since the epoch. Raises ValueError outside the years 0000 to 9999."""
    days, second = divmod(seconds, 86400)
    # Days are counted from 1 March 0000 in eras of 400 years, so that the leap day comes last.
    era, day_of_era = divmod(days + 719468, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = era * 400 + year_of_era + (month <= 2)
    if not 0 <= year <= 9999:
        raise ValueError("the year does not have four digits")
    hour, second = divmod(second, 3600)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{second // 60:02}:{second % 60:02}Z"


def _seconds(value: str) -> int | float | None:
    """Seconds since the epoch of a Date, or None if it is not one."""
    match = _date(value)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    if not (1 <= month <= 12 and day >= 1 and hour <= 23 and minute <= 59 and second <= 60):
        return None
    if day > _DAYS[month - 1] and not (
        month == 2 and day == 29 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    ):
        return None
    shifted_year, shifted_month = (year - 1, month + 9) if month <= 2 else (year, month - 3)
    era, year_of_era = divmod(shifted_year, 400)
    day_of_year = (153 * shifted_month + 2) // 5 + day - 1
    days = era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
    seconds = days * 86400 + hour * 3600 + minute * 60 + second
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    if sign:
        offset = int(offset_hours) * 3600 + int(offset_minutes) * 60
        seconds += offset if sign == "-" else -offset
    if second == 60 and not _is_leap_second(seconds):
        return None
    if fraction is None:
        return seconds
    return None if not fraction.strip(".0") else seconds + float(fraction)


def _is_leap_second(seconds: int) -> bool:
    """Whether the second before is the last of 30 June or 31 December UTC, when all leap seconds so far came.

    Which years have one cannot be known ahead, so every year may (RFC 3339 §5.7) but the last that can be written: the
    second after it has no name.
    """
    try:
        before, _ = utc_date(seconds - 1), utc_date(seconds)
    except ValueError:
        return False
    return before[11:] == "23:59:59Z" and (int(before[5:7]), int(before[8:10])) in _LEAP_SECONDS


def _is_int(value: Any) -> bool:
    return type(value) is int and -MAX_INT <= value <= MAX_INT


def _is_unsigned_int(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_INT


_PRIMITIVES: dict[str, Checker] = {
    "*": lambda value: True,
    "null": lambda value: value is None,
    "String": lambda value: type(value) is str,
    "Number": lambda value: type(value) is int or type(value) is float,
    "Boolean": lambda value: type(value) is bool,
    "Object": lambda value: type(value) is dict,
    "Int": _is_int,
    "UnsignedInt": _is_unsigned_int,
    "Id": is_id,
    "Date": is_date,
    "UTCDate": is_utc_date,
}


def compile_kind(kind: str, records: Records | None = None) -> Checker:
    """The checker of a kind in the RFC's notation, such as `Id[Boolean]|null`.

    Raises ValueError for a notation that cannot be read, or a name neither the RFC's nor among `records`.
    """
    return _Compiler(records or {}).compile(kind)


class _Compiler:
    """Compiles kinds that may name each other, and themselves."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.named: dict[str, Checker] = {}

    def compile(self, kind: str) -> Checker:
        """The checker of a whole kind."""
        tokens = _tokens(kind)
        checker = self.alternatives(tokens)
        if tokens:
            raise ValueError(f"kind {kind!r}: unexpected {tokens[-1]!r}")
        return checker

    def alternatives(self, tokens: list[str]) -> Checker:
        """`A|B`: takes tokens off the end of the list, which is reversed."""
        found = [self.postfixed(tokens)]
        while tokens and tokens[-1] == "|":
            tokens.pop()
            found.append(self.postfixed(tokens))
        return _either(found)

    def postfixed(self, tokens: list[str]) -> Checker:
        """`A[]` and `A[B]`, any number of times."""
        checker = self.single(tokens)
        while tokens and tokens[-1] in ("[", "[]"):
            if tokens.pop() == "[]":
                checker = _array(checker)
            else:
                checker = _map(checker, self.alternatives(tokens))
                _expect("]", tokens)
        return checker

    def single(self, tokens: list[str]) -> Checker:
        """A name, `*`, or alternatives in parentheses."""
        name = tokens.pop() if tokens else ""
        if name == "(":
            checker = self.alternatives(tokens)
            _expect(")", tokens)
            return checker
        if name in _PRIMITIVES:
            return _PRIMITIVES[name]
        if name not in self.records:
            raise ValueError(f"unknown kind {name!r}")
        return self.record(name)

    def record(self, name: str) -> Checker:
        """The checker of a named record, made once."""
        if name in self.named:
            return self.named[name]
        members = self.records[name]
        if callable(members):
            self.named[name] = members
            return members
        # A record may contain itself: inner uses find this checker, which looks its members up when called.
        kinds: dict[str, Checker] = {}
        required: set[str] = set()
        checker = self.named[name] = _record(kinds, required)
        for member, kind in members.items():
            bare = member.removesuffix("?")
            kinds[bare] = self.compile(kind)
            if bare == member and not kinds[bare](None):
                required.add(bare)
        return checker


def _tokens(kind: str) -> list[str]:
    """The tokens of a kind, the first one last."""
    tokens, position = [], 0
    while position < len(kind):
        match = _token.match(kind, position)
        if match is None:
            raise ValueError(f"kind {kind!r}: cannot be read from {kind[position:]!r} on")
        tokens.append(match.group(1))
        position = match.end()
    return tokens[::-1]


def _expect(token: str, tokens: list[str]) -> None:
    if not tokens or tokens.pop() != token:
        raise ValueError(f"a kind lacks {token!r}")


def _either(checkers: list[Checker]) -> Checker:
    if len(checkers) == 1:
        return checkers[0]
    if len(checkers) == 2 and _PRIMITIVES["null"] in checkers:
        other = checkers[0] if checkers[1] is _PRIMITIVES["null"] else checkers[1]
        return lambda value: value is None or other(value)
    return lambda value: any(checker(value) for checker in checkers)


def _array(item: Checker) -> Checker:
    if item is is_id:
        return _is_id_array
    if item is _PRIMITIVES["String"]:
        return lambda value: type(value) is list and _STRINGS.issuperset(map(type, value))
    return lambda value: type(value) is list and all(map(item, value))


_STRINGS = frozenset({str})


def _is_id_array(value: Any) -> bool:
    """`Id[]`, the commonest long kind: one pass in C."""
    return type(value) is list and _STRINGS.issuperset(map(type, value)) and all(map(_id, value))


def _map(key: Checker, item: Checker) -> Checker:
    if key is _PRIMITIVES["String"]:
        if item is _PRIMITIVES["*"]:
            return _PRIMITIVES["Object"]
        return lambda value: type(value) is dict and all(map(item, value.values()))
    return lambda value: type(value) is dict and all(map(key, value)) and all(map(item, value.values()))


def _record(kinds: dict[str, Checker], required: set[str]) -> Checker:
    def check(value: Any) -> bool:
        if type(value) is not dict or not required <= value.keys():
            return False
        for name, item in value.items():
            checker = kinds.get(name)
            if checker is None or not checker(item):
                return False
        return True

    return check
