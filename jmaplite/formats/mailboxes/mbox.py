"""mbox files: a stream of octets taken apart into messages, and a message as it stands in a file.

No two programs agree on mbox, so a line is taken for a separator by what it says: `From `, a date as asctime
writes it, and a header field on the line after it. A blank line before it is not asked for. Where a
Content-Length (mboxcl2) ends exactly at a separator or at the end of the file, it is believed.

Some programs write `>From ` for a line of the message that begins with `From ` (mboxo), some do so for lines
that have any number of `>` already (mboxrd), and some do nothing (mboxcl2). `quotes` tells by the file as a
whole. What was quoted is read as mboxrd: that can be undone, and mboxo differs for `>>From ` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jmaplite.formats.mailboxes.flags import encode_export_block
from jmaplite.formats.mailboxes.lines import to_lf
from jmaplite.formats.mailboxes.separator import Separator, parse_separator, separator_line

_FROM = b"From "
_BOM = b"\xef\xbb\xbf"
_LINE = 1000
_NAME = 256
"""Octets that a separator line, and the name of the field after it, may have."""
_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:|>From [!-~]")
_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
_TO_QUOTE = re.compile(rb"^(>*From )", re.MULTILINE)
_LENGTH = re.compile(rb"(?:\A|\n)content-length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r?\n", re.IGNORECASE)
_END_OF_HEADER = re.compile(rb"\n\r?\n")
_HEADER = 1 << 18
"""Octets at the start of a message in which a Content-Length is looked for."""


class NotMbox(ValueError):
    """The octets do not begin with a separator; the only argument is a sentence."""


@dataclass(frozen=True, slots=True)
class MboxMessage:
    """A message and where it stood.

    `offset` is that of its separator and `end` that of the next, in octets of the file; `octets` are as in
    the file, or None if they are more than the limit.
    """

    offset: int
    end: int
    separator: Separator
    octets: bytes | None


def split(chunks: Iterable[bytes], *, limit: int) -> Iterator[MboxMessage]:
    """The messages of an mbox, without the blank line after each; about `limit` octets are held at a time.

    Nothing comes of an empty file. Raises NotMbox if the first line is not a separator.
    """
    window = _Window(chunks)
    at = len(_BOM) if window.octets(0, len(_BOM)) == _BOM else 0
    while window.octets(at, 1) in (b"\r", b"\n"):
        at += 1
        window.drop(at)
    found = _separator(window, at)
    if found is None:
        if window.octets(at, 1):
            raise NotMbox("it does not begin with a line “From sender date” and a header field after it")
        return
    while found is not None:
        start, (separator, body) = at, found
        at, found = _next(window, body, limit)
        octets = _without_blank_line(window.octets(body, at - body)) if at - body <= limit else None
        window.drop(at)
        yield MboxMessage(start, at, separator, octets)


def quotes(chunks: Iterable[bytes]) -> bool:
    """Whether whoever wrote an mbox quoted: after the first, no line begins with `From ` but separators."""
    window = _Window(chunks)
    line = 0
    while (found := window.find_line(_FROM, line + 1, until=0)) is not None:
        if _separator(window, found) is None:
            return False
        line = found
    return True


def unquote(octets: bytes) -> bytes:
    """One `>` less before every `From ` that begins a line (mboxrd)."""
    return _QUOTED.sub(rb"\1", octets) if b">From " in octets else octets


def may_be_entry(message: bytes) -> bool:
    """Whether `split` would find a message again: it begins with a header field."""
    return _FIELD.match(message) is not None


def entry(message: bytes, sender: str, date: int, keywords: Iterable[str] | None) -> bytes:
    """A message as it stands in an mbox: separator, octets quoted (mboxrd) and by `to_lf`, a blank line.

    `date` is in seconds since the epoch. With `keywords` a block of header fields that tells them comes
    first. A message whose last line has no end gets one.
    """
    text = to_lf(message)
    if keywords is not None:
        text = to_lf(encode_export_block(keywords)) + text
    if b"From " in text:
        text = _TO_QUOTE.sub(rb">\1", text)
    end = b"\n" if text.endswith(b"\n") else b"\n\n"
    return separator_line(sender, date) + b"\n" + text + end


class _Window:
    """A part of a stream, addressed by offsets in the whole; what was dropped must not be asked for again."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = bytearray()
        self._base = 0

    @property
    def end(self) -> int:
        """The offset up to which octets are held."""
        return self._base + len(self._held)

    def reach(self, offset: int) -> bool:
        """Hold everything up to an offset; False if the stream ends before it."""
        while self.end < offset:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._held += chunk
        return True

    def octets(self, offset: int, length: int) -> bytes:
        """At most `length` octets from an offset."""
        self.reach(offset + length)
        start = offset - self._base
        return bytes(self._held[start : start + length])

    def find_line(self, start: bytes, offset: int, *, until: int) -> int | None:
        """Where the first line at or after an offset (not 0) that begins with `start` begins, or None.

        Once the search is beyond `until`, it drops what it has looked at.
        """
        token = b"\n" + start
        at = offset - 1
        while (found := self._held.find(token, at - self._base)) < 0:
            at = max(at, self.end - len(token) + 1)
            if self.end > until:
                self.drop(at)
            if not self.reach(self.end + 1):
                return None
        return self._base + found + 1

    def drop(self, offset: int) -> None:
        """Let go of everything before an offset."""
        size = min(offset - self._base, len(self._held))
        del self._held[:size]
        self._base += size


def _separator(window: _Window, at: int) -> tuple[Separator, int] | None:
    """The separator whose line begins at an offset, and the offset of the line after it."""
    line, end, _ = window.octets(at, _LINE).partition(b"\n")
    separator = parse_separator(line.rstrip(b"\r")) if end else None
    if separator is None:
        return None
    body = at + len(line) + 1
    return (separator, body) if _FIELD.match(window.octets(body, _NAME)) else None


def _next(window: _Window, body: int, limit: int) -> tuple[int, tuple[Separator, int] | None]:
    """Where the separator after the message that starts at `body` is, and what it says; None at the end."""
    told = _told_end(window, body, limit)
    if told is not None:
        return told, _separator(window, told)
    line = body
    while (at := window.find_line(_FROM, line, until=body + limit)) is not None:
        if found := _separator(window, at):
            return at, found
        line = at + 1
    return window.end, None


def _told_end(window: _Window, body: int, limit: int) -> int | None:
    """Where the next separator is by the Content-Length of a message, or None if none is there."""
    header = _header(window, body)
    told = _LENGTH.search(header)
    if told is None or len(header) + int(told[1]) > limit:
        return None
    end = body + len(header) + int(told[1])
    if not window.reach(end) or window.octets(end - 1, 1) != b"\n":
        return None
    after = window.octets(end, 2)
    at = end + (2 if after == b"\r\n" else 1 if after[:1] == b"\n" else 0)
    ended = not window.reach(at + 1)
    return at if ended or _separator(window, at) else None


def _without_blank_line(octets: bytes) -> bytes:
    """A message without the blank line that the program put after it, if there is one."""
    return octets[: -2 if octets.endswith(b"\n\r\n") else -1 if octets.endswith(b"\n\n") else None]


def _header(window: _Window, body: int) -> bytes:
    """The header of a message with the blank line after it; empty if it is longer than anybody writes it."""
    size = 4096
    while size <= _HEADER:
        start = window.octets(body, size)
        if end := _END_OF_HEADER.search(start):
            return start[: end.end()]
        if len(start) < size:
            break
        size *= 4
    return b""
