"""Bodies: content in the transfer encoding that suits it, parts between boundaries (RFC 2045 §6, RFC 2046 §5)."""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from jmaplite.formats.compose.folding import LONGEST
from jmaplite.formats.compose.parameters import parameters, structured

TYPE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
"""A media type without parameters (RFC 6838 §4.2)."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_QP_HARMLESS = bytes(octet for octet in range(32, 127) if octet != 61) + b"\t\r\n"
_BASE64_LINE = 76
_SEVEN, _EIGHT, _BINARY = "7bit", "8bit", "binary"
_RANK = (_SEVEN, _EIGHT, _BINARY)


@dataclass(slots=True)
class Entity:
    """A part to be made: a leaf with its octets, or a multipart with its parts.

    `fields` are ready header fields, each with its CRLF, but for Content-Type and Content-Transfer-Encoding, which are
    written here. `content_type` is a ready value for the first, in place of the type's name; `parameters` are added.
    """

    type: str
    fields: list[bytes] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    content_type: bytes | None = None
    octets: bytes = b""
    parts: list[Entity] | None = None


def message(fields: Sequence[bytes], root: Entity, seed: str) -> bytes:
    """The octets of a message: header fields, then those of its root part.

    Boundaries come from `seed`, which should be unlike that of any other message, and occur nowhere in the content.
    Raises NotWritable.
    """
    written = _Writer(seed).write(root)
    end = b"" if root.parts is None else b"\r\n"
    return b"".join((*fields, b"MIME-Version: 1.0\r\n", *written.pieces, end))


@dataclass(slots=True)
class _Written:
    """A part as it is in the message; `plain` are the contents in it that stand as they were."""

    pieces: list[bytes]
    encoding: str
    plain: list[bytes]


class _Writer:
    """Writes parts from the leaves up: what is inside decides the encoding and the boundary around it."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode("utf-8", "replace")
        self._count = 0

    def write(self, entity: Entity) -> _Written:
        """A part with all beneath it."""
        if entity.parts is None:
            encoding, body = encoded(entity.type, entity.octets)
            plain = [body] if encoding in _RANK else []
            return _Written([*_header(entity, entity.parameters, encoding), body], encoding, plain)
        children = [self.write(part) for part in entity.parts]
        encoding = max(
            (child.encoding for child in children if child.encoding in _RANK), key=_RANK.index, default=_SEVEN
        )
        plain = [octets for child in children for octets in child.plain]
        boundary = self._boundary(plain)
        pieces = _header(entity, entity.parameters | {"boundary": boundary}, encoding)
        delimiter = f"--{boundary}\r\n".encode()
        for number, child in enumerate(children):
            pieces.append(b"\r\n" + delimiter if number else delimiter)
            pieces += child.pieces
        pieces.append(f"\r\n--{boundary}--".encode())
        return _Written(pieces, encoding, plain)

    def _boundary(self, plain: Sequence[bytes]) -> str:
        """A boundary that no content has; "=_" is in no encoded one (RFC 2045 §6.7)."""
        while True:
            self._count += 1
            digest = blake2b(b"%d %b" % (self._count, self._seed), digest_size=12).hexdigest()
            boundary = f"=_{digest}"
            if not any(boundary.encode() in octets for octets in plain):
                return boundary


def _header(entity: Entity, given: Mapping[str, str], encoding: str) -> list[bytes]:
    """The header of a part with the empty line after it."""
    if entity.content_type is None:
        content_type = structured("Content-Type", entity.type, given)
    else:
        pieces = [entity.content_type.rstrip(b"\r\n\t ;"), *(piece.encode() for piece in parameters(given))]
        content_type = b";\r\n ".join(pieces) + b"\r\n"
    transfer = b"" if encoding == _SEVEN else b"Content-Transfer-Encoding: %b\r\n" % encoding.encode()
    return [*entity.fields, content_type, transfer, b"\r\n"]


def encoded(type_name: str, octets: bytes) -> tuple[str, bytes]:
    """(Content-Transfer-Encoding, content in it) for the content of a leaf.

    Messages inside are never encoded (RFC 2046 §5.2.1), but for those of message/global and its kin (RFC 6532 §3.7);
    their line ends become CRLF.
    """
    if type_name.startswith("message/") and not type_name.startswith("message/global"):
        return _message(octets)
    has_lines = octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")
    if has_lines and _is_short(octets) and octets.isascii() and b"\0" not in octets:
        return _SEVEN, octets
    if has_lines and type_name.startswith("text/"):
        harmful = len(octets.translate(None, _QP_HARMLESS))
        if len(octets) + 2 * harmful <= (len(octets) + 2) // 3 * 4:
            return "quoted-printable", quoted_printable(octets)
    return "base64", base64(octets)


def _message(octets: bytes) -> tuple[str, bytes]:
    if b"\0" in octets:
        return _BINARY, octets
    if not octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n"):
        octets = _LINE_END.sub(b"\r\n", octets)
    if not _is_short(octets):
        return _BINARY, octets
    return (_SEVEN if octets.isascii() else _EIGHT), octets


def _is_short(octets: bytes) -> bool:
    """Whether no line is longer than may be; every line end is CRLF."""
    return len(octets) <= LONGEST or max(map(len, octets.split(b"\r\n"))) <= LONGEST


def quoted_printable(octets: bytes) -> bytes:
    """Octets whose lines end with CRLF, in quoted-printable (RFC 2045 §6.7)."""
    found = b2a_qp(octets, istext=True)
    if b"\n" not in octets:
        found = found.replace(b"\n", b"\r\n")  # it breaks lines as the first one ends
    return found


def base64(octets: bytes) -> bytes:
    """Octets in base64, in lines of 76 characters (RFC 2045 §6.8)."""
    found = b2a_base64(octets, newline=False)
    return b"\r\n".join(found[start : start + _BASE64_LINE] for start in range(0, len(found), _BASE64_LINE))
