"""The tree of a message's parts and where each lies in its octets (RFC 2045, RFC 2046, RFC 8621 §4.1.4).

Malformed messages are read thus:
- Lines end with CRLF or LF; only in a message without any LF does a CR end a line.
- A header section whose first line is no field is none: the part is all body. Later ones are passed over.
- Of a field given twice the first counts.
- Where a multipart is cut off, a blank part after its last delimiter is none.
- A multipart without a boundary parameter, whose delimiter never occurs but to close it, or nested deeper than
  MAX_DEPTH keeps its type and holds one part of type text/plain with all its octets, so that no content is lost.
- A delimiter line is exactly "--" and the boundary, "--" after it to close, and white space (one boundary may
  be a prefix of another); the delimiter of an outer multipart also ends those inside (RFC 2046 §5.1.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jmaplite.formats.mime.fields import header_fields, unfold, without_comments
from jmaplite.formats.mime.parameters import content_disposition, content_type
from jmaplite.formats.mime.transfer import decode, encoding_of
from jmaplite.formats.mime.words import decode_words

MAX_DEPTH = 100
MAX_PARTS = 10_000

_HEADER_STOP = re.compile(rb"\n(?:\r?\n|--([^\n]*+))")
_HEADER = re.compile(rb"(?:>?From [^\n]*+\n)?(?:[ \t][^\n]*+\n?+)*+[!-9;-~]++[ \t]*+:")
_CONTENT = re.compile(rb"\S")
_EMPTY_LINE = re.compile(rb"\r?\n")
_ANGLE = re.compile(r"\s*<?([^<>]*)")


@dataclass(slots=True)
class Part:
    """An EmailBodyPart (RFC 8621 §4.1.4) and where it lies in the octets of its message."""

    part_id: str | None
    header_start: int
    header_end: int
    body_start: int
    body_end: int
    encoding: str = ""
    is_encoding_unknown: bool = False
    size: int = 0
    type: str = "text/plain"
    charset: str | None = None
    name: str | None = None
    disposition: str | None = None
    cid: str | None = None
    language: list[str] | None = None
    location: str | None = None
    sub_parts: list[Part] | None = None

    def leaves(self) -> Iterator[Part]:
        """All parts that are not multipart, depth-first, itself if it is one."""
        if self.sub_parts is None:
            yield self
        for part in self.sub_parts or ():
            yield from part.leaves()


def read_structure(octets: bytes) -> Part:
    """The root of the part tree of a message. Never raises; linear in the octets."""
    return _Reader(octets).root


@dataclass(slots=True)
class _Frame:
    """A multipart being read."""

    part: Part
    parts: list[Part]  # its sub_parts
    boundary: bytes
    shadowed: int | None  # level of an outer frame with the same boundary
    is_split: bool = False  # whether a delimiter was seen, or there is nothing before the one that closes


class _Reader:
    """Reads delimiter after delimiter; every octet is looked at a bounded number of times."""

    def __init__(self, octets: bytes) -> None:
        self.source = octets
        self.octets = octets if b"\n" in octets else octets.replace(b"\r", b"\n")
        self.frames: list[_Frame] = []
        self.active: dict[bytes, int] = {}  # boundary -> level of the innermost frame still open
        self.count = 0
        self.root, position = self._open(0, "text/plain")
        self.entity: Part | None = None if self.frames else self.root  # what the next delimiter ends
        while self.active and self.count < MAX_PARTS:
            found = self._next_delimiter(position)
            if found is None:
                break
            level, is_close, at, position = found
            self._close(level, at)
            frame = self.frames[level]
            if is_close:
                frame.is_split |= _CONTENT.search(self.octets, frame.part.body_start, at) is None
                self._deactivate(level)
            else:
                frame.is_split = True
                is_digest = frame.part.type == "multipart/digest"
                depth = len(self.frames)
                part, position = self._open(position + 1, "message/rfc822" if is_digest else "text/plain")
                self.entity = part if len(self.frames) == depth else None
                frame.parts.append(part)
        self._close(-1, len(octets) + 1)

    def _open(self, start: int, default_type: str) -> tuple[Part, int]:
        """Read the header of the entity at start: the part, and from where to look for the next delimiter."""
        header_end, body_start, position = self._header(start)
        part = Part(None, start, header_end, body_start, body_start, type=default_type)
        boundary = _describe(self.octets, part)
        level = len(self.frames)
        if boundary and part.sub_parts is not None and level < MAX_DEPTH:
            self.frames.append(_Frame(part, part.sub_parts, boundary, self.active.get(boundary)))
            self.active[boundary] = level
        return part, position

    def _header(self, start: int) -> tuple[int, int, int]:
        """(end of the header, start of the body, from where to look for a delimiter)."""
        octets = self.octets
        if start == 0 and (empty := _EMPTY_LINE.match(octets)):
            return 0, empty.end(), empty.end() - 1
        before = max(start - 1, 0)
        found = _HEADER_STOP.search(octets, before)
        while found and found[1] is not None and not self._is_delimiter(found[1]):
            found = _HEADER_STOP.search(octets, found.end())
        if found and start and found.start() == before:
            body = start if found[1] is not None else found.end()
            return start, body, body - 1
        if not _HEADER.match(octets, start):
            return start, start, before
        if found is None:
            return len(octets), len(octets), len(octets)
        if found[1] is not None:
            end = self._before_line_end(found.start())
            return end, end, found.start()
        return found.start() + 1, found.end(), found.end() - 1

    def _is_delimiter(self, line: bytes) -> bool:
        line = line.rstrip(b" \t\r")
        return line in self.active or (line.endswith(b"--") and line[:-2] in self.active)

    def _next_delimiter(self, position: int) -> tuple[int, bool, int, int] | None:
        """(level, whether it closes, where the LF before it is, where the LF after it is)."""
        octets, active = self.octets, self.active
        while (at := octets.find(b"\n--", position)) >= 0:
            position = octets.find(b"\n", at + 3)
            if position < 0:
                position = len(octets)
            line = octets[at + 3 : position].rstrip(b" \t\r")
            level = active.get(line)
            if line.endswith(b"--"):
                closed = active.get(line[:-2])
                if closed is not None and (level is None or closed > level):
                    return closed, True, at, position
            if level is not None:
                return level, False, at, position
        return None

    def _close(self, level: int, at: int) -> None:
        """End what is open inside the frame of a level before the delimiter whose LF is at a position."""
        if self.entity is not None:
            if level < len(self.frames) - 1 and self._is_blank(self.entity, at):
                self.frames[-1].parts.pop()  # the last delimiter stands where the closing one should
            else:
                self._finish(self.entity, at, False)
            self.entity = None
        while len(self.frames) > level + 1:
            self._deactivate(len(self.frames) - 1)
            frame = self.frames.pop()
            self._finish(frame.part, at, frame.is_split)

    def _is_blank(self, part: Part, at: int) -> bool:
        has_header = part.header_end > part.header_start
        return not has_header and at - part.body_start <= 8 and not self.octets[part.body_start : at].strip()

    def _deactivate(self, level: int) -> None:
        frame = self.frames[level]
        if self.active.get(frame.boundary) == level:
            del self.active[frame.boundary]
            if frame.shadowed is not None:
                self.active[frame.boundary] = frame.shadowed

    def _finish(self, part: Part, at: int, is_split: bool) -> None:
        end = self._before_line_end(at) if at <= len(self.octets) else len(self.octets)
        part.body_end = max(part.body_start, end)
        if part.sub_parts is None:
            self._number(part)
            return
        if part.sub_parts:  # the last may end where the line begins whose line end this is
            part.body_end = max(part.body_end, part.sub_parts[-1].body_end)
        part.size = part.body_end - part.body_start
        if not is_split and part.size:
            start = part.body_start
            content = Part(None, start, start, start, part.body_end, charset="us-ascii")
            part.sub_parts.append(content)
            self._number(content)

    def _before_line_end(self, at: int) -> int:
        return at - 1 if self.octets[at - 1 : at] == b"\r" else at

    def _number(self, leaf: Part) -> None:
        self.count += 1
        leaf.part_id = str(self.count)
        body = self.source[leaf.body_start : leaf.body_end] if leaf.encoding else b""
        leaf.size = len(decode(body, leaf.encoding)) if leaf.encoding else leaf.body_end - leaf.body_start


def _describe(octets: bytes, part: Part) -> bytes | None:
    """Fill in what the part's header says; the boundary if it is a multipart that has one."""
    fields: dict[str, bytes] = {}
    for name, value in header_fields(octets, part.header_start, part.header_end):
        if name[:1] in "cC":
            fields.setdefault(name.lower(), value)
    part.charset = "us-ascii"
    boundary = None
    if "content-type" in fields:
        part.type, part.charset, part.name, boundary = content_type(fields["content-type"])
    if "content-disposition" in fields:
        part.disposition, filename = content_disposition(fields["content-disposition"])
        part.name = filename or part.name
    if "content-id" in fields:
        part.cid = _cid(fields["content-id"])
    if "content-language" in fields:
        tags = without_comments(unfold(fields["content-language"])).split(",")
        part.language = [tag.strip() for tag in tags if tag.strip()] or None
    if "content-location" in fields:
        part.location = "".join(decode_words(unfold(fields["content-location"]).strip()).split()) or None
    if part.type.startswith("multipart/"):
        part.sub_parts = []
        return boundary
    if "content-transfer-encoding" in fields:
        encoding = without_comments(unfold(fields["content-transfer-encoding"]))
        part.encoding, part.is_encoding_unknown = encoding_of(encoding)
    return None


def _cid(value: bytes) -> str | None:
    string = "".join(without_comments(unfold(value)).split())
    found = _ANGLE.match(string)
    return found[1] or None if found else None
