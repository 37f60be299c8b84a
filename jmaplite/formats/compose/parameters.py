"""Structured MIME fields: a value and its parameters (RFC 2045 §5.1, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from jmaplite.formats.compose.folding import Lines, NotWritable

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^-z{|}~-]+")
_QUOTABLE = re.compile(r"[ -~]+")
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_LITERAL = "!#$&+-.^_`{|}~"  # attribute-char, but for letters and digits (RFC 2231 §7)
_SECTION = 55  # characters of one section of a value
_LONGEST = 2000  # characters of a value: more is no name


def structured(name: str, value: str, given: Mapping[str, str]) -> bytes:
    """A field of a token, such as a media type, and parameters, with its CRLF. Raises NotWritable."""
    lines = Lines(name)
    pieces = list(parameters(given))
    lines.add(" ", value + (";" if pieces else ""))
    for at, piece in enumerate(pieces):
        lines.add(" ", piece + (";" if at < len(pieces) - 1 else ""))
    return lines.octets()


def parameters(given: Mapping[str, str]) -> Iterator[str]:
    """Each `name=value`, a value in several sections if it is long (RFC 2231 §3). Raises NotWritable."""
    for name, value in given.items():
        if _CONTROL.search(value) or len(value) > _LONGEST:
            raise NotWritable("control characters, or too long for a parameter")
        is_plain = _QUOTABLE.fullmatch(value) and "=?" not in value
        if is_plain and len(value) <= _SECTION:
            yield f"{name}={value if _TOKEN.fullmatch(value) else _quoted(value)}"
        elif is_plain:
            for number, start in enumerate(range(0, len(value), _SECTION)):
                yield f"{name}*{number}={_quoted(value[start : start + _SECTION])}"
        else:
            yield from _encoded(name, value)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _encoded(name: str, value: str) -> Iterator[str]:
    """A value in percent-encoded UTF-8, no character in two sections (RFC 2231 §4)."""
    sections, used = ["utf-8''"], 0
    for character in value:
        piece = quote(character, safe=_LITERAL)
        if used + len(piece) > _SECTION:
            sections.append("")
            used = 0
        sections[-1] += piece
        used += len(piece)
    if len(sections) == 1:
        yield f"{name}*={sections[0]}"
    else:
        for number, section in enumerate(sections):
            yield f"{name}*{number}*={section}"
