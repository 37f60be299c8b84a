"""Dates: the form Date (RFC 8621 §4.1.2.6), and when a message was received."""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from collections.abc import Iterable

from jmaplite.formats.mime.fields import unfold, without_comments

_DATE_TIME = re.compile(
    r"\s*+(?:[A-Za-z]++\s*+(?:,\s*+)?)?(\d{1,2})\s*+([A-Za-z]{3,9})\s*+(\d{2,4})\s++(\d{1,2})\s*+:\s*+(\d{1,2})"
    r"(?:\s*+:\s*+(\d{1,2}))?\s*+(?:([+-])(\d\d):?(\d\d)(?!\d)|([A-Za-z]++))"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# RFC 5322 §4.3; every other zone, military ones included, counts as "-0000".
_ZONES = {"UT": 0, "GMT": 0, "UTC": 0, "Z": 0}
_ZONES |= {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}


def date(value: bytes) -> str | None:
    """The RFC 3339 date-time of a date field at its own offset, or None (RFC 8621 §4.1.2.6).

    "+0000" is "Z"; "-0000" and zones of unknown meaning are "-00:00". A leap second is the one before.
    """
    parsed = _parse(without_comments(unfold(value)))
    if parsed is None:
        return None
    moment, sign, hours, minutes = parsed
    stamp = "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(*moment)
    if sign == "+" and not hours and not minutes:
        return stamp + "Z"
    return f"{stamp}{sign}{hours:02}:{minutes:02}"


def received_at(fields: Iterable[tuple[str, bytes]]) -> int | None:
    """Seconds since the epoch at which the topmost Received field with a readable date was added, or None."""
    for name, value in fields:
        if name.lower() != "received":
            continue
        _, semicolon, stamp = without_comments(unfold(value)).rpartition(";")
        parsed = _parse(stamp) if semicolon else None
        if parsed is not None:
            moment, sign, hours, minutes = parsed
            offset = (hours * 60 + minutes) * 60
            return timegm(moment) - (offset if sign == "+" else -offset)
    return None


def _parse(string: str) -> tuple[tuple[int, int, int, int, int, int], str, int, int] | None:
    """((year, month, day, hour, minute, second), sign, hours, minutes of the offset), all in range."""
    found = _DATE_TIME.match(string)
    if found is None or not found[0].isascii() or found[2][:3].lower() not in _MONTHS:
        return None
    day, hour, minute, second = int(found[1]), int(found[4]), int(found[5]), int(found[6] or 0)
    month = _MONTHS.index(found[2][:3].lower()) + 1
    year = int(found[3])
    if len(found[3]) < 4:
        year += 2000 if len(found[3]) == 2 and year < 50 else 1900
    if found[7]:
        sign, hours, minutes = found[7], int(found[8]), int(found[9])
    else:
        zone = _ZONES.get(found[10].upper())
        sign, hours, minutes = "-" if zone is None or zone < 0 else "+", abs(zone or 0), 0
    if year < 1900 or not 1 <= day <= monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60 or hours > 23 or minutes > 59:
        return None
    return (year, month, day, hour, minute, min(second, 59)), sign, hours, minutes
