"""Which octets of a blob a download is for: ranges and conditions of a request (RFC 9110 §13, §14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?("[^"]*")')
_DIGITS = 18
"""A number of so many is beyond the end of everything; Python refuses to read endless ones."""


class UnsatisfiableRange(Exception):
    """None of the octets asked for are there."""


@dataclass(frozen=True, slots=True)
class Span:
    """`length` octets from `start` on; `partial` if somebody asked for these and not for the whole."""

    start: int
    length: int
    partial: bool


def requested_span(header: str | None, size: int) -> Span:
    """What a Range header asks for of `size` octets. Raises UnsatisfiableRange.

    The whole is answered to headers that are malformed or in other units, as they are to be ignored, and to
    those with several ranges, as they may be (RFC 9110 §14.2).
    """
    match = _RANGE.fullmatch(header) if header else None
    if match is None or match.groups() == ("", ""):
        return Span(0, size, partial=False)
    first, last = match.groups()
    if not first:
        suffix = _number(last)
        if suffix == 0 or size == 0:
            raise UnsatisfiableRange
        return Span(max(size - suffix, 0), min(suffix, size), partial=True)
    start = _number(first)
    end = _number(last) if last else start
    if end < start:
        return Span(0, size, partial=False)
    if start >= size:
        raise UnsatisfiableRange
    return Span(start, min(end + 1, size) - start if last else size - start, partial=True)


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names an ETag, weakly compared (RFC 9110 §13.1.2)."""
    if not header:
        return False
    return header.strip() == "*" or etag in _ETAG.findall(header)


def _number(digits: str) -> int:
    return int((digits.lstrip("0") or "0")[:_DIGITS])
