"""Parts of dates, as the tests "date" and "currentdate" see them (RFC 5260 §4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType

from jmaplite.formats.mime import date as date_time
from jmaplite.formats.mime.fields import unfold, without_comments

_ZONE = re.compile(rb"[+-]([01]\d|2[0-3])[0-5]\d")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_JULIAN_EPOCH = datetime(1858, 11, 17).date().toordinal()


def is_zone(value: bytes) -> bool:
    """Whether a string is a time zone: "+" or "-" and four digits, below 24 hours (RFC 5260 §4.1)."""
    return _ZONE.fullmatch(value) is not None


def zone_of(value: bytes) -> int:
    """Minutes east of UTC of a time zone for which is_zone() holds."""
    minutes = int(value[1:3]) * 60 + int(value[3:5])
    return -minutes if value.startswith(b"-") else minutes


def of_field(value: bytes) -> datetime | None:
    """The date and time that a header field is, or ends with after a semicolon, at its own offset; or None."""
    string = without_comments(unfold(value)).rpartition(";")[2]
    stamp = date_time(string.encode("utf-8", "replace"))
    return None if stamp is None else datetime.fromisoformat(stamp)


def at(seconds: float) -> datetime:
    """The date and time of seconds since the epoch, in UTC; the nearest there is."""
    return datetime.fromtimestamp(min(max(seconds, -62_135_596_800), 253_402_300_799), UTC)


def shifted(moment: datetime, minutes: int) -> datetime:
    """The same instant in a time zone; as it is where the calendar has no such day."""
    try:
        return moment.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        return moment


def _zone(moment: datetime) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _date(moment: datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}-{moment.day:02}"


def _time(moment: datetime) -> str:
    return f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"


def _iso8601(moment: datetime) -> str:
    zone = _zone(moment)
    return f"{_date(moment)}T{_time(moment)}" + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")


def std11(moment: datetime) -> str:
    """The date and time as a Date field has it (RFC 5322 §3.3)."""
    day = f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment.year:04}"
    return f"{day} {_time(moment)} {_zone(moment)}"


PARTS: Mapping[bytes, Callable[[datetime], str]] = MappingProxyType(
    {
        b"year": lambda moment: f"{moment.year:04}",
        b"month": lambda moment: f"{moment.month:02}",
        b"day": lambda moment: f"{moment.day:02}",
        b"date": _date,
        b"julian": lambda moment: str(moment.date().toordinal() - _JULIAN_EPOCH),
        b"hour": lambda moment: f"{moment.hour:02}",
        b"minute": lambda moment: f"{moment.minute:02}",
        b"second": lambda moment: f"{moment.second:02}",
        b"time": _time,
        b"iso8601": _iso8601,
        b"std11": std11,
        b"zone": _zone,
        b"weekday": lambda moment: str(moment.isoweekday() % 7),
    }
)
"""What each part of a date is, by its name in lower case (RFC 5260 §4.2)."""
