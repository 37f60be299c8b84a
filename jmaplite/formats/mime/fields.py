"""Header fields: cutting a header section, and the forms Raw and Text (RFC 8621 §4.1.2)."""

from __future__ import annotations

import re

from jmaplite.formats.mime.charsets import nfc, utf8
from jmaplite.formats.mime.words import decode_words

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.M)
_COMMENT_OR_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|\\.|\(', re.S)
_IN_COMMENT = re.compile(r"\\.|[()]", re.S)


def header_fields(octets: bytes, start: int = 0, end: int | None = None) -> list[tuple[str, bytes]]:
    """(name as written, value without its line end) of every field of a header section, in order.

    Lines that are neither field nor continuation are passed over. A section without any LF has CR line ends.
    """
    section = octets[start:end]
    if b"\n" not in section:
        section = section.replace(b"\r", b"\n")
    return [
        (name.decode("ascii"), value[:-1] if value.endswith(b"\r") else value)
        for name, value in _FIELD.findall(section)
    ]


def field_spans(octets: bytes, start: int = 0, end: int | None = None) -> list[tuple[int, int]]:
    """Where each field lies that header_fields() finds there, in the octets and with its line end."""
    section = octets[start:end]
    if b"\n" not in section:
        section = section.replace(b"\r", b"\n")
    return [(start + found.start(), start + min(found.end() + 1, len(section))) for found in _FIELD.finditer(section)]


def raw(value: bytes) -> str:
    """The value in Raw form (RFC 8621 §4.1.2.1)."""
    if value.isascii() and b"\0" not in value:
        return value.decode("ascii")
    return utf8(value)


def text(value: bytes) -> str:
    """The value in Text form: unfolded, encoded words decoded, NFC (RFC 8621 §4.1.2.2)."""
    string = unfold(value).lstrip(" \t")
    if "=?" in string:
        string = decode_words(string)
    return string if string.isascii() else nfc(string)


def unfold(value: bytes) -> str:
    """The Raw form without its line ends (RFC 5322 §2.2.3)."""
    string = raw(value)
    if "\n" in string:
        string = string.replace("\r\n", "").replace("\n", "")
    return string.replace("\r", " ") if "\r" in string else string


def without_comments(string: str) -> str:
    """A structured field body with every comment made a space (RFC 5322 §3.2.2); an open one ends it."""
    if "(" not in string:
        return string
    kept, start, position = [], 0, 0
    while found := _COMMENT_OR_QUOTED.search(string, position):
        position = found.end()
        if found[0] == "(":
            kept.append(string[start : found.start()])
            start = position = comment_end(string, position) or len(string)
    kept.append(string[start:])
    return " ".join(kept)


def comment_end(string: str, position: int) -> int:
    """Where the comment ends whose "(" stands before a position, nested ones included; 0 if nowhere."""
    depth = 1
    for found in _IN_COMMENT.finditer(string, position):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return 0
