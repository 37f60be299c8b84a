"""The message in a script's hands: header fields as edited so far, parts, texts; read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jmaplite.formats import mime
from jmaplite.formats.html import to_text
from jmaplite.formats.mime.charsets import decode as decode_text

_DEEPEST_MESSAGE = 8  # messages in messages that are looked into
_HTML_WORK = 8
"""How much more an octet of HTML costs of which the text is to be found."""


class Field:
    """A header field: its name, its value as it comes, and which it was in the message or how it is written anew."""

    __slots__ = ("_addresses", "_text", "index", "line", "lower", "name", "raw")

    def __init__(self, name: str, raw: bytes, index: int | None = None, line: bytes = b"") -> None:
        self.name = name
        self.lower = name.lower()
        self.raw = raw
        self.index = index
        self.line = line
        self._text: bytes | None = None
        self._addresses: list[str] | None = None

    @property
    def text(self) -> bytes:
        """The value decoded, in UTF-8, without white space around it (RFC 5228 §5.7)."""
        if self._text is None:
            self._text = mime.text(self.raw).strip(" \t\r\n").encode()
        return self._text

    @property
    def cost(self) -> int:
        """How many octets' work its addresses are, most of it the first time."""
        return 100 * len(self.raw) if self._addresses is None else 100 * len(self._addresses)

    @property
    def addresses(self) -> list[str]:
        """The addresses in it, without names."""
        if self._addresses is None:
            self._addresses = [address["email"] or "" for address in mime.addresses(self.raw)]
        return self._addresses


class Section:
    """A part of a message, or the whole."""

    def __init__(self, octets: bytes, part: mime.Part, depth: int = 0) -> None:
        self.octets = octets
        self.part = part
        self._depth = depth
        self._fields: list[Field] | None = None
        self._children: list[Section] | None = None
        self._plain: bytes | None = None

    @property
    def fields(self) -> Sequence[Field]:
        """Its header fields in order."""
        if self._fields is None:
            part = self.part
            found = mime.header_fields(self.octets, part.header_start, part.header_end)
            self._fields = [Field(name, value) for name, value in found]
        return self._fields

    @property
    def size(self) -> int:
        """Octets of header and body."""
        return self.part.body_end - self.part.header_start

    @property
    def is_message(self) -> bool:
        """Whether it holds a message."""
        return self.part.type in ("message/rfc822", "message/global") and self.part.sub_parts is None

    @property
    def children(self) -> list[Section]:
        """The parts of a multipart, or the message in it."""
        if self._children is None:
            self._children = []
            if self.part.sub_parts is not None:
                self._children = [Section(self.octets, part, self._depth) for part in self.part.sub_parts]
            elif self.is_message and self._depth < _DEEPEST_MESSAGE:
                inner = self.content()
                self._children = [Section(inner, mime.parse(inner).root, self._depth + 1)]
        return self._children

    def content(self) -> bytes:
        """The body after transfer decoding."""
        return mime.part_octets(self.octets, self.part)

    def walk(self) -> Iterator[Section]:
        """Itself and all parts in it, depth first, however deep they are."""
        waiting = [self]
        while waiting:
            section = waiting.pop()
            yield section
            waiting += reversed(section.children)

    def text(self) -> bytes:
        """The body in UTF-8 if it is text, else decoded only."""
        content = self.content()
        if not self.part.type.startswith("text/"):
            return content
        return decode_text(content, self.part.charset, is_html=self.part.type == "text/html")[0].encode()

    def beginning(self, characters: int) -> tuple[bytes, int]:
        """So many characters of the body in UTF-8, and how many octets were looked at.

        Nothing if the charset is unknown, or the octets are none of it (RFC 5703 §7).
        """
        start, end = self.part.body_start, self.part.body_end
        if end - start > (most := 16 * characters + 1000):  # every character encoded, and one of four octets at that
            end = self.octets.rfind(b"\n", start, start + most) + 1 or end
        content = mime.decode(self.octets[start:end], self.part.encoding)
        text, is_doubtful = decode_text(content, self.part.charset, is_html=self.part.type == "text/html")
        return (b"" if is_doubtful else text[:characters].encode()), end - start

    @property
    def plain_cost(self) -> int:
        """How many octets' work it is to find the text that a reader sees, beside those of the part."""
        return _HTML_WORK * self.part.size if self._plain is None and self.part.type == "text/html" else 0

    def plain(self) -> bytes:
        """The text that a reader sees."""
        if self.part.type != "text/html":
            return self.text()
        if self._plain is None:
            self._plain = to_text(self.text().decode("utf-8", "replace")).encode()
        return self._plain

    def around(self) -> list[bytes]:
        """What stands before and after the parts of a multipart (RFC 5173 §5.2)."""
        part, parts = self.part, self.part.sub_parts or []
        body = self.octets[part.body_start : part.body_end]
        if not parts or parts[0].header_start == parts[0].body_start == part.body_start:
            return [body if not parts else b""]
        before = self.octets[part.body_start : parts[0].header_start].rstrip(b"\r\n")
        after = self.octets[parts[-1].body_end : part.body_end].lstrip(b"\r\n")
        return [before[: before.rfind(b"\n") + 1], after.partition(b"\n")[2]]


@dataclass(frozen=True, slots=True)
class Edited:
    """A message with another header: pieces that make up its octets."""

    pieces: tuple[bytes, ...]
    body_of: bytes
    """The octets that the body is a part of."""
    body_start: int

    @property
    def octets(self) -> bytes:
        """The whole message."""
        return b"".join((*self.pieces, self.body_of[self.body_start :]))


class Letter:
    """A message and what a script has made of it."""

    def __init__(self, octets: bytes, structure: mime.Message | None = None) -> None:
        self.original = octets
        self.octets = octets
        self._structure = structure
        self._root: Section | None = None
        self._fields: list[Field] | None = None
        self._edited: Edited | None = None
        self.is_changed = False

    @property
    def root(self) -> Section:
        """The whole message as it is now, but for edited header fields."""
        if self._root is None:
            structure = self._structure or mime.parse(self.octets)
            self._root = _Root(self, structure.root)
        return self._root

    @property
    def fields(self) -> list[Field]:
        """The header fields of the message as they are now; change them by add() and remove()."""
        if self._fields is None:
            part = self.root.part
            found = mime.header_fields(self.octets, part.header_start, part.header_end)
            self._fields = [Field(name, raw, index) for index, (name, raw) in enumerate(found)]
        return self._fields

    def add(self, name: str, line: bytes, *, is_last: bool) -> None:
        """Add a field, written with its CRLF, before all others or after them."""
        raw = line.partition(b":")[2].removesuffix(b"\r\n")
        if self._line_end() == b"\n":
            line = line.replace(b"\r\n", b"\n")
        field = Field(name, raw, None, line)
        if is_last:
            self.fields.append(field)
        else:
            self.fields.insert(0, field)
        self._change()

    def remove(self, gone: Sequence[Field]) -> None:
        """Take fields away."""
        if gone:
            ids = set(map(id, gone))
            self._fields = [field for field in self.fields if id(field) not in ids]
            self._change()

    def replace_octets(self, octets: bytes) -> None:
        """Go on with another message."""
        self.octets = octets
        self._structure = self._root = self._fields = self._edited = None
        self.is_changed = True

    def _change(self) -> None:
        self._edited = None
        self.is_changed = True

    def _line_end(self) -> bytes:
        part = self.root.part
        header = self.octets[part.header_start : part.body_start]
        return b"\r\n" if b"\r\n" in header or b"\n" not in header else b"\n"

    @property
    def cost(self) -> int:
        """How many octets' work it is to write the header anew, if it has been changed."""
        if not self.is_changed or self._edited is not None:
            return 0
        return 20 * self.root.part.header_end + 100 * len(self.fields)

    def edited(self) -> Edited | None:
        """The message as it is now; None if it is as it came."""
        if not self.is_changed:
            return None
        if self._edited is None:
            self._edited = self._write()
        return self._edited

    def header(self) -> tuple[bytes, ...]:
        """The fields in their order, each with its line end, without the empty line after them.

        Lines of the header that are no field stay before the field that follows them.
        """
        part = self.root.part
        spans = mime.field_spans(self.octets, part.header_start, part.header_end)
        kept = {field.index for field in self.fields if field.index is not None}
        start = next((at for at, field in enumerate(self.fields) if field.index is not None), len(self.fields))
        pieces = [field.line for field in self.fields[:start]]
        at = part.header_start
        for index, (first, after) in enumerate(spans):
            pieces.append(self.octets[at : after if index in kept else first])
            at = after
        pieces.append(self.octets[at : part.header_end])
        if (written := [piece for piece in pieces if piece]) and not written[-1].endswith((b"\n", b"\r")):
            pieces.append(self._line_end())
        pieces += [field.line for field in self.fields[start:] if field.index is None]
        return tuple(piece for piece in pieces if piece)

    def _write(self) -> Edited:
        part = self.root.part
        pieces = self.header()
        if part.header_end == part.body_start < len(self.octets):
            pieces += (self._line_end(),)
        return Edited(pieces, self.octets, part.header_end)


class _Root(Section):
    """The whole message, whose header fields are those of the letter."""

    def __init__(self, letter: Letter, part: mime.Part) -> None:
        super().__init__(letter.octets, part)
        self._letter = letter

    @property
    def fields(self) -> Sequence[Field]:
        return self._letter.fields

    @property
    def size(self) -> int:
        return len(self.octets)

    @property
    def has_body(self) -> bool:
        """Whether an empty line ends the header (RFC 5173 §4)."""
        return self.part.body_start > self.part.header_end or self.part.header_end == 0
