"""The line between two messages of an mbox: `From sender date`, the date as asctime writes it (RFC 4155)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PARTS = {
    b"DAY": rb"(?<=[ \t])(?:" + "|".join(_DAYS).encode() + rb"),?[ \t]+",
    b"MONTH": rb"(?P<month>" + "|".join(_MONTHS).encode() + rb")[ \t]+",
    b"TIME": rb"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?",
    b"ZONE": rb"(?:[+-]\d{4}|[A-Za-z]{1,5}(?:[ ]DST)?)",
    b"END": rb"(?:[ ]remote[ ]from[ ][!-~]+)?[ \t]*\Z",
}


def _pattern(text: bytes) -> re.Pattern[bytes]:
    for name, part in _PARTS.items():
        text = text.replace(name, part)
    return re.compile(text)


# As asctime, with or without seconds and with a zone before or after the year, or as in a Date field.
_SHAPES = (
    _pattern(
        rb"DAYMONTH(?P<day>\d{1,2})[ \t]+TIME(?:[ \t]+(?P<zone>ZONE))?"
        rb"[ \t]+(?P<year>\d{4})(?:[ \t]+(?P<zone2>ZONE))?END"
    ),
    _pattern(
        rb"DAY(?P<day>\d{1,2})[ \t]+MONTH(?P<year>\d{4})[ \t]+"
        rb"TIME(?:[ \t]+(?P<zone>ZONE))?(?P<zone2>)END"
    ),
)

# RFC 5322 §4.3; other names mean different zones to different people and count as unknown.
_ZONES = {"UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5}
_ZONES |= {"MST": -7, "MDT": -6, "PST": -8, "PDT": -7}


@dataclass(frozen=True, slots=True)
class Separator:
    """A separator line: the envelope's sender, and its date in seconds since the epoch.

    `sender` is empty if there was none; `date` is None if the calendar has no such day. Without `exact` the
    line named no zone (or none that means one thing): the date was then read as UTC and may be hours off.
    """

    sender: str
    date: int | None
    exact: bool


def parse_separator(line: bytes) -> Separator | None:
    """A line without its line end, or None if it only looks like a separator (`From time to time ...`)."""
    if not line.startswith(b"From "):
        return None
    for shape in _SHAPES:
        if found := shape.search(line):
            sender = line[5 : found.start()].strip().decode("utf-8", "replace")
            date, exact = _moment(found)
            return Separator("" if sender == "-" else sender, date, exact)
    return None


def separator_line(sender: str, date: int) -> bytes:
    """The line for a message, without its line end; `date` in seconds since the epoch is written in UTC."""
    moment = datetime.fromtimestamp(date, UTC)
    usable = sender.isascii() and sender.isprintable() and sender.split() == [sender]
    address = sender if usable else "MAILER-DAEMON"
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"From {address} {day} {month} {moment.day:2d} {moment:%H:%M:%S} +0000 {moment.year:04d}".encode()


def _moment(found: re.Match[bytes]) -> tuple[int | None, bool]:
    month = _MONTHS.index(found["month"].decode()) + 1
    try:
        local = datetime(
            int(found["year"]),
            month,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(int(found["second"] or 0), 59),  # 60 is a leap second
            tzinfo=UTC,
        )
        offset = _offset((found["zone"] or found["zone2"] or b"").decode())
        return int((local - (offset or timedelta())).timestamp()), offset is not None
    except (ValueError, OverflowError):
        return None, False


def _offset(zone: str) -> timedelta | None:
    if zone[:1] in ("+", "-"):
        if zone == "-0000":  # RFC 5322 §3.3: nothing is said about the local zone, the time is UTC
            return timedelta()
        size = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
        return -size if zone[0] == "-" else size
    hours = _ZONES.get(zone.upper())
    return None if hours is None else timedelta(hours=hours)
