"""The wildcards of ":matches", in time that grows with value and pattern only (RFC 5228 §2.7.1)."""

from __future__ import annotations

import re

Span = tuple[int, int]

_OCTET = rb"(.)"
_CHARACTER = rb"((?>[\x00-\x7f\xc0-\xff][\x80-\xbf]*(?:\xcc[\x80-\xbf]|\xcd[\x80-\xaf])*)|[\x80-\xbf])"
"""A character of UTF-8, with the accents that decomposition has put after it."""

_PIECE = re.compile(rb"\\(.)|(\*)|(\?)|([^\\*?]+|\\\Z)", re.S)


class Glob:
    """A pattern with "*" and "?", ready to match; every wildcard takes as little as it can (RFC 5229 §3.2).

    Between stars the leftmost occurrence of each piece is the best one, so nothing is tried twice.
    """

    def __init__(self, pattern: bytes, whole_characters: bool = False) -> None:
        single = _CHARACTER if whole_characters else _OCTET
        pieces: list[list[bytes]] = [[]]
        widths = [0]
        self.wild = 1
        """How many times a value is gone through, at most."""
        for escaped, star, one, literal in _PIECE.findall(pattern):
            if star:
                pieces.append([])
                widths.append(0)
            elif one:
                pieces[-1].append(single)
                widths[-1] += 1
            else:
                pieces[-1].append(re.escape(escaped or literal))
                widths[-1] += len(escaped or literal)
        self.wild += sum(width for piece, width in zip(pieces, widths, strict=True) if single in piece)
        self._first = re.compile(b"".join(pieces[0]), re.S)
        self._middle = [re.compile(b"".join(piece), re.S) for piece in pieces[1:-1]]
        self._last = re.compile(b"".join(pieces[-1]) + rb"\Z", re.S)
        self._width = None if whole_characters and single in pieces[-1] else widths[-1]
        self._has_star = len(pieces) > 1

    def match(self, value: bytes) -> list[Span] | None:
        """What each wildcard stands for in a value, in order; None if the value does not match."""
        if not self._has_star:
            found = self._last.match(value)
            return None if found is None else _groups(found)
        found = self._first.match(value)
        if found is None:
            return None
        spans = _groups(found)
        at = found.end()
        for piece in self._middle:
            found = piece.search(value, at)
            if found is None:
                return None
            spans.append((at, found.start()))
            spans += _groups(found)
            at = found.end()
        start = at if self._width is None else max(at, len(value) - self._width)
        found = self._last.search(value, start)
        if found is None:
            return None
        spans.append((at, found.start()))
        return spans + _groups(found)


def _groups(found: re.Match[bytes]) -> list[Span]:
    return [found.span(number) for number in range(1, found.re.groups + 1)]
