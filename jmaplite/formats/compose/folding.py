"""Lines of a header field: folding (RFC 5322 §2.1.1, §2.2.3) and encoded words (RFC 2047)."""

from __future__ import annotations

import re
from binascii import b2a_base64

LINE = 78
"""Characters of a line without its CRLF, where there is a place to fold (RFC 5322 §2.1.1)."""

LONGEST = 998
"""Octets of a line without its CRLF in any case."""

_ENCODED_LINE = 76  # of a line with an encoded word (RFC 2047 §2)
_ENCODED_WORD = 75
_AROUND = len("=?utf-8?q??=")
_LEAST_ROOM = 16  # holds any character; a shorter encoded word is not worth the end of a line

_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
"""Octets that stand for themselves in a "Q" encoded word wherever it is (RFC 2047 §5 (3))."""

_Q = [(chr(octet) if octet in _SAFE else "_" if octet == 32 else f"={octet:02X}").encode() for octet in range(256)]
_SAFE_OR_SPACE = bytes(sorted({*_SAFE, 32}))
_CHARACTER = re.compile(rb"[\0-\x7f\xc0-\xff][\x80-\xbf]*+", re.S)


class NotWritable(ValueError):
    """A value has no place in a message; the argument says why."""


class Lines:
    """A header field under way, folded as it grows."""

    def __init__(self, name: str) -> None:
        self._pieces = [name, ":"]
        self._used = len(name) + 1
        self._limit = LINE
        self._is_fresh = False
        """Whether the line holds nothing but the white space it begins with."""

    def add(self, space: str, word: str) -> None:
        """Add a word that is not broken, after white space at which the field may be folded ("": it may not).

        Raises NotWritable for one that no line can hold.
        """
        length = len(word) if word.isascii() else len(word.encode())
        self._space(space, length, self._limit)
        self._pieces.append(word)
        self._used += length
        self._is_fresh = False
        if self._used > LONGEST:
            raise NotWritable("too long without a place to fold")

    def add_encoded(self, space: str, text: str) -> None:
        """Add text as encoded words, as many as it takes, broken between characters only; `space` is not empty."""
        octets = text.replace("\t", " ").encode()  # a tab in an encoded word would be dropped (RFC 8621 §4.1.2.2)
        quoted = len(octets) + 2 * (len(octets) - len(octets.translate(None, _SAFE_OR_SPACE)))
        if quoted <= (len(octets) + 2) // 3 * 4:
            self._add_words(space, "q", _quoted_characters(octets))
        else:
            self._add_words(space, "b", _CHARACTER.findall(octets))

    def _add_words(self, space: str, encoding: str, characters: list[bytes]) -> None:
        at = 0
        while at < len(characters):
            self._space(space, _AROUND + _LEAST_ROOM, _ENCODED_LINE)
            room = min(_ENCODED_LINE - self._used, _ENCODED_WORD) - _AROUND
            if encoding == "b":
                room = room // 4 * 3
            end = at
            while end < len(characters) and len(characters[end]) <= room:
                room -= len(characters[end])
                end += 1
            payload = b"".join(characters[at:end])
            if encoding == "b":
                payload = b2a_base64(payload, newline=False)
            self.add("", f"=?utf-8?{encoding}?{payload.decode('ascii')}?=")
            self._limit = _ENCODED_LINE
            at = end
            space = " "

    def _space(self, space: str, length: int, limit: int) -> None:
        """Add white space, on a new line if what follows is of a length that this one has no room for."""
        if space and not self._is_fresh and self._used + len(space) + length > limit:
            self._pieces.append("\r\n")
            self._used = 0
            self._limit = LINE
            self._is_fresh = True
        self._pieces.append(space)
        self._used += len(space)

    def octets(self) -> bytes:
        """The field with its CRLF."""
        return "".join((*self._pieces, "\r\n")).encode()


def _quoted_characters(octets: bytes) -> list[bytes]:
    """The characters of UTF-8, each in "Q" encoding."""
    return [b"".join([_Q[octet] for octet in found]) for found in _CHARACTER.findall(octets)]
