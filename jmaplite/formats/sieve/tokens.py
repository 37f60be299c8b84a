"""The words of a script, each with its place (RFC 5228 §8.1)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from jmaplite.formats.sieve.errors import NotAvailable, SieveError

_LARGEST = 2**63 - 1

_TOKEN = re.compile(
    rb"(?P<space>[ \t\r\n]++|#[^\n]*+)|(?P<comment>/\*)|(?P<text>text:[ \t]*+(?:\#[^\n]*+)?\r?\n)"
    rb"|(?P<word>[A-Za-z_][A-Za-z0-9_]*+)|(?P<tag>:[A-Za-z_][A-Za-z0-9_]*+)"
    rb"|(?P<number>[0-9]++[KMG]?(?![A-Za-z0-9_]))"
    rb"|\"(?P<string>(?:[^\"\\]++|\\.)*+)\"|(?P<special>[\[\](){},;])",
    re.I | re.S,
)
_ESCAPE = re.compile(rb"\\(.)", re.S)
_LF = re.compile(rb"\n")
_CONTINUATION = bytes(range(0x80, 0xC0))  # octets of a character but the first
_BARE_LF = re.compile(rb"(?<!\r)\n")
_TEXT_END = re.compile(rb"^\.(?:\r?\n|\Z)", re.M)
_STUFFED = re.compile(rb"^\.\.", re.M)
_UNIT = {b"K": 1 << 10, b"M": 1 << 20, b"G": 1 << 30}


class Token(NamedTuple):
    """A word of a script: its kind, its text as written or a string's value, and its offset in octets.

    Kinds are word, tag, number, string, special, and end.
    """

    kind: str
    text: bytes
    offset: int


class Source:
    """The octets of a script, and what place in them an offset is."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self._starts = [0, *(found.end() for found in _LF.finditer(octets))]
        self._is_ascii = octets.isascii()
        self._last = (0, 0)  # an offset, and how many characters are before it in its line

    def place(self, offset: int) -> tuple[int, int]:
        """(line, column) of an offset, both from 1, the column in characters."""
        line = bisect_right(self._starts, offset)
        start = self._starts[line - 1]
        if self._is_ascii:
            return line, offset - start + 1
        # most often the next place is not far behind the last one
        at, before = self._last if start <= self._last[0] <= offset else (start, 0)
        before += len(self.octets[at:offset].translate(None, _CONTINUATION))
        self._last = (offset, before)
        return line, before + 1

    def error(self, offset: int, message: str) -> SieveError:
        """An error at an offset."""
        return SieveError(message, *self.place(offset))

    def not_available(self, offset: int, message: str) -> NotAvailable:
        """The error of using what there is not, at an offset."""
        return NotAvailable(message, *self.place(offset))


def tokens(source: Source) -> Iterator[Token]:
    """The words of a script, white space and comments left out, an end after them. Raises SieveError."""
    octets = source.octets
    if (nul := octets.find(b"\0")) >= 0:
        raise source.error(nul, "a script must not contain NUL")
    at = 3 if octets.startswith(b"\xef\xbb\xbf") else 0
    while at < len(octets):
        found = _TOKEN.match(octets, at)
        if found is None or found.lastgroup is None:
            raise _unreadable(source, at)
        kind, start = found.lastgroup, at
        at = found.end()
        if kind == "space":
            continue
        if kind == "comment":
            end = octets.find(b"*/", at)
            if end < 0:
                raise source.error(start, "this comment is not closed by '*/'")
            at = end + 2
        elif kind == "text":
            ending = _TEXT_END.search(octets, at)
            if ending is None:
                raise source.error(start, "this text is not ended by a line with a single dot")
            yield Token("string", _crlf(_STUFFED.sub(b".", octets[at : ending.start()])), start)
            at = ending.end()
        elif kind == "string":
            value = found["string"]
            yield Token("string", _crlf(_ESCAPE.sub(rb"\1", value) if b"\\" in value else value), start)
        else:
            yield Token(kind, found[0], start)
    yield Token("end", b"", len(octets))


def _crlf(value: bytes) -> bytes:
    """A value with the line ends that the language knows, whatever the script's are."""
    return _BARE_LF.sub(b"\r\n", value) if b"\n" in value else value


def _unreadable(source: Source, at: int) -> SieveError:
    octet = source.octets[at : at + 1]
    if octet == b'"':
        return source.error(at, "this string is not closed by '\"'")
    if octet.isdigit():
        return source.error(at, "a number is digits, and K, M or G after them")
    if octet == b":":
        return source.error(at, "a name has to follow ':'")
    shown = source.octets[at : at + 4].decode("utf-8", "replace")[:1]
    return source.error(at, f"{shown!r} has no meaning here")


def number(source: Source, token: Token) -> int:
    """The value of a number (RFC 5228 §2.4.1). Raises SieveError."""
    digits, unit = token.text, _UNIT.get(token.text[-1:].upper())
    if unit is not None:
        digits = digits[:-1]
    value = int(digits) * (unit or 1) if len(digits) < 20 else _LARGEST + 1
    if value > _LARGEST:
        raise source.error(token.offset, "this number is too large")
    return value
