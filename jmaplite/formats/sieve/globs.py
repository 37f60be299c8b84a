"""The wildcards of ":matches", in time that grows with value and pattern only (RFC 5228 §2.7.1)."""

from __future__ import annotations

import re

Span = tuple[int, int]

_OCTET = rb"(.)"
_CHARACTER = rb"((?>[\x00-\x7f\xc0-\xff][\x80-\xbf]*(?:\xcc[\x80-\xbf]|\xcd[\x80-\xaf])*)|[\x80-\xbf])"
"""A character of UTF-8, with the accents that decomposition has put after it."""

_PIECE = re.compile(rb"\\(.)|(\*)|(\?)|([^\\*?]+|\\\Z)", re.S)
_COMPILING = 20_000  # octets' worth of work to get a pattern ready, at least


class _Piece:
    """What stands between two stars: plain octets, or a regular expression that is made when it is needed."""

    __slots__ = ("_compiled", "_source", "_width", "literal", "wild")

    def __init__(self, words: list[tuple[bytes, bytes]], single: bytes) -> None:
        self.literal: bytes | None = None
        self.wild = 0
        self._source = b""
        self._width: int | None = None
        self._compiled: tuple[re.Pattern[bytes], re.Pattern[bytes]] | None = None
        if not any(one for one, _ in words):
            self.literal = b"".join(literal for _, literal in words)
            return
        self._source = b"".join(single if one else re.escape(literal) for one, literal in words)
        width = sum(1 if one else len(literal) for one, literal in words)
        self.wild = width
        self._width = width if single == _OCTET else None

    @property
    def cost(self) -> int:
        """How much work it is to make the expression; nothing once it is made."""
        return 0 if self.literal is not None or self._compiled is not None else _COMPILING + 64 * len(self._source)

    def _patterns(self) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
        if self._compiled is None:
            self._compiled = re.compile(self._source, re.S), re.compile(self._source + rb"\Z", re.S)
        return self._compiled

    def find(self, value: bytes, at: int, *, is_first: bool = False) -> tuple[int, int, list[Span]] | None:
        """(start, end, wildcards) of the leftmost place from a position on, or at that position only."""
        if self.literal is not None:
            if is_first:
                return (at, at + len(self.literal), []) if value.startswith(self.literal, at) else None
            start = value.find(self.literal, at)
            return None if start < 0 else (start, start + len(self.literal), [])
        pattern = self._patterns()[0]
        return _found(pattern.match(value, at) if is_first else pattern.search(value, at))

    def find_at_end(self, value: bytes, at: int, *, is_first: bool) -> tuple[int, int, list[Span]] | None:
        """The same for the place from which it reaches to the end of the value."""
        if self.literal is not None:
            start = len(value) - len(self.literal)
            fits = (start == at if is_first else start >= at) and value.endswith(self.literal)
            return (start, len(value), []) if fits else None
        pattern = self._patterns()[1]
        if is_first:
            return _found(pattern.match(value, at))
        return _found(pattern.search(value, at if self._width is None else max(at, len(value) - self._width)))


def _found(found: re.Match[bytes] | None) -> tuple[int, int, list[Span]] | None:
    if found is None:
        return None
    return found.start(), found.end(), [found.span(number) for number in range(1, found.re.groups + 1)]


class Glob:
    """A pattern with "*" and "?", ready to match; every wildcard takes as little as it can (RFC 5229 §3.2).

    Between stars the leftmost occurrence of each piece is the best one, so nothing is tried twice.
    """

    __slots__ = ("_pieces", "wild")

    def __init__(self, pattern: bytes, whole_characters: bool = False) -> None:
        words: list[list[tuple[bytes, bytes]]] = [[]]
        for escaped, star, one, literal in _PIECE.findall(pattern):
            if star:
                words.append([])
            else:
                words[-1].append((one, escaped or literal))
        single = _CHARACTER if whole_characters else _OCTET
        self._pieces = [_Piece(each, single) for each in words]
        self.wild = 1 + sum(piece.wild for piece in self._pieces)
        """How many times a value is gone through, at most."""

    @property
    def cost(self) -> int:
        """How much work it is to get ready; nothing once it is."""
        return sum(piece.cost for piece in self._pieces if piece.wild)

    def match(self, value: bytes) -> list[Span] | None:
        """What each wildcard stands for in a value, in order; None if the value does not match."""
        pieces = self._pieces
        if len(pieces) == 1:
            found = pieces[0].find_at_end(value, 0, is_first=True)
            return None if found is None else found[2]
        found = pieces[0].find(value, 0, is_first=True)
        if found is None:
            return None
        _, at, spans = found
        for piece in pieces[1:-1]:
            found = piece.find(value, at)
            if found is None:
                return None
            spans.append((at, found[0]))
            spans += found[2]
            at = found[1]
        found = pieces[-1].find_at_end(value, at, is_first=False)
        return None if found is None else [*spans, (at, found[0]), *found[2]]
