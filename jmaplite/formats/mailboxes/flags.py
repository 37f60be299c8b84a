"""Flags that mbox programs leave in header fields, as JMAP keywords (RFC 8621 §4.1.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jmaplite.formats.mime.fields import header_fields, unfold

_FIELDS = frozenset({"status", "x-status", "x-keywords", "x-mozilla-status", "x-mozilla-keys"})
_X_STATUS = {"A": "$answered", "F": "$flagged", "T": "$draft"}
_MOZILLA_BITS = {0x0001: "$seen", 0x0002: "$answered", 0x0004: "$flagged", 0x1000: "$forwarded"}
_MOZILLA_DELETED = 0x0008
_MOZILLA_NAMES = {"junk": "$junk", "nonjunk": "$notjunk"}
_KEYWORD = re.compile(r"[!#$&'+-\[^-z|}~]{1,255}")
_END_OF_HEADER = re.compile(rb"(?:\A|\n)\r?\n")
_HEADER_LIMIT = 1 << 20

_MARK = b"X-Exported-By: jmaplite"
_BLOCK = re.compile(
    rb"(?:Status: (?P<status>[!-~]{1,8})\r?\n)?"
    rb"(?:X-Status: (?P<x_status>[!-~]{1,8})\r?\n)?"
    rb"(?:X-Keywords: (?P<x_keywords>[ -~]+)\r?\n)?" + _MARK + rb"\r?\n"
)


@dataclass(frozen=True, slots=True)
class Flags:
    """Keywords of a message, lower-cased, and whether it was marked for deletion."""

    keywords: frozenset[str] = frozenset()
    deleted: bool = False


def is_keyword(name: str) -> bool:
    """Whether this can be a keyword: 1 to 255 of %x21-%x7e but ( ) { ] % * " and backslash (RFC 8621 §4.1.1)."""
    return _KEYWORD.fullmatch(name) is not None


def status_flags(message: bytes) -> Flags:
    """What Status, X-Status, X-Keywords, X-Mozilla-Status and X-Mozilla-Keys in a message's header say."""
    keywords: set[str] = set()
    deleted = False
    for name, value in _fields(message):
        if name == "status":
            keywords.update({"$seen"} if "R" in value else ())
        elif name == "x-status":
            keywords.update(_X_STATUS[letter] for letter in value if letter in _X_STATUS)
            deleted |= "D" in value
        elif name == "x-mozilla-status":
            bits = int(value, 16) if re.fullmatch("[0-9A-Fa-f]{1,8}", value) else 0
            keywords.update(keyword for bit, keyword in _MOZILLA_BITS.items() if bits & bit)
            deleted |= bool(bits & _MOZILLA_DELETED)
        else:
            keywords.update(_names(value.split(), mozilla=name == "x-mozilla-keys"))
    return Flags(frozenset(keywords), deleted)


def encode_export_block(keywords: Iterable[str]) -> bytes:
    """Header lines (with CRLF) that other mbox programs read flags from, to stand before an exported message.

    The last of them says whose they are, so that `decode_export_block` takes away exactly what was put there.
    """
    rest = set(keywords)
    letters = "".join(letter for letter, keyword in _X_STATUS.items() if keyword in rest)
    others = " ".join(sorted(rest - {"$seen", *_X_STATUS.values()}))
    block = b"Status: RO\r\n" if "$seen" in rest else b"Status: O\r\n"
    if letters:
        block += f"X-Status: {letters}\r\n".encode()
    if others:
        block += f"X-Keywords: {others}\r\n".encode()
    return block + _MARK + b"\r\n"


def decode_export_block(message: bytes) -> tuple[bytes, Flags | None]:
    """A message without the lines of `encode_export_block`, and the flags they told (None: no such lines)."""
    found = _BLOCK.match(message)
    if found is None:
        return message, None
    keywords = {"$seen"} if b"R" in (found["status"] or b"") else set()
    letters = (found["x_status"] or b"").decode()
    keywords.update(_X_STATUS[letter] for letter in letters if letter in _X_STATUS)
    keywords.update(_names((found["x_keywords"] or b"").decode().split(), mozilla=False))
    return message[found.end() :], Flags(frozenset(keywords), "D" in letters)


def _names(names: Iterable[str], *, mozilla: bool) -> Iterator[str]:
    for name in names:
        keyword = name.lower()
        if mozilla:
            keyword = _MOZILLA_NAMES.get(keyword, keyword)
        if is_keyword(keyword):
            yield keyword


def _fields(message: bytes) -> Iterator[tuple[str, str]]:
    """The flag fields of a header, name in lower case."""
    end = _END_OF_HEADER.search(message, 0, _HEADER_LIMIT)
    for name, value in header_fields(message, 0, end.start() + 1 if end else _HEADER_LIMIT):
        if name.lower() in _FIELDS:
            yield name.lower(), unfold(value).strip()
