"""Strings of a script: encoded characters and variable references (RFC 5228 §2.4.2.4, RFC 5229 §3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENCODED = re.compile(
    rb"\$\{(hex|unicode):([ \t\r\n]*(?:[0-9A-F]+[ \t\r\n]+)*[0-9A-F]+[ \t\r\n]*)\}",
    re.I,
)
_REFERENCE = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z0-9_]++)*|[0-9]++)\}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable in a string: its name in lower case, and its number if it is a match variable."""

    name: str
    number: int | None = None
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """A string with variables in it; `source` is how it is written."""

    pieces: tuple[bytes | Reference, ...]
    source: bytes


Text = bytes | Template


def decode_characters(value: bytes) -> bytes:
    """A string with `${hex:...}` and `${unicode:...}` replaced. Raises ValueError for what is no character."""
    return _ENCODED.sub(_decoded, value) if b"${" in value else value


def _decoded(found: re.Match[bytes]) -> bytes:
    values = found[2].split()
    if found[1].lower() == b"hex":
        if any(len(value) > 2 for value in values):
            return found[0]
        return bytes(int(value, 16) for value in values)
    characters = []
    for value in values:
        digits = value.lstrip(b"0")
        point = int(digits or b"0", 16) if len(digits) <= 6 else 0x110000
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise ValueError(f"{value.decode('ascii')} is not the number of a Unicode character")
        characters.append(chr(point))
    return "".join(characters).encode()


def template(value: bytes, most: int, *, has_global: bool) -> Text:
    """A string with its variable references found; as it is if there are none. Raises ValueError.

    `most` is the highest match variable; `has_global` tells whether the namespace "global" is there (RFC 6609 §3.4.2).
    """
    if b"${" not in value:
        return value
    pieces: list[bytes | Reference] = []
    last = 0
    for found in _REFERENCE.finditer(value):
        reference = _reference(found[1].decode("ascii"), most, has_global=has_global)
        if found.start() > last:
            pieces.append(value[last : found.start()])
        pieces.append(reference)
        last = found.end()
    if not pieces:
        return value
    if last < len(value):
        pieces.append(value[last:])
    return Template(tuple(pieces), value)


def _reference(name: str, most: int, *, has_global: bool) -> Reference:
    if name.isdigit():
        digits = name.lstrip("0") or "0"
        if len(digits) > 9 or int(digits) > most:
            raise ValueError(f"there are no more than {most} match variables")
        return Reference(name, int(digits))
    namespace, dot, rest = name.lower().partition(".")
    if not dot:
        return Reference(namespace)
    if namespace != "global":
        raise ValueError(f"there is no namespace {namespace!r} for variables")
    if not has_global:
        raise ValueError("the namespace 'global' needs the capability 'include'")
    if not _IDENTIFIER.fullmatch(rest):
        raise ValueError(f"{name!r} is not the name of a variable")
    return Reference(rest, is_global=True)


def shortened(value: bytes, most: int) -> bytes:
    """The first characters of a value (RFC 5229 §6); octets that are no UTF-8 count as one each."""
    if len(value) <= most:
        return value
    return value[: 4 * most].decode("utf-8", "surrogateescape")[:most].encode("utf-8", "surrogateescape")


def variable(name: str, longest: int, *, has_global: bool) -> Reference:
    """The variable that a script may set by a name (RFC 5229 §4). Raises ValueError."""
    if name.isdigit():
        raise ValueError("match variables cannot be set")
    if len(name) > longest:
        raise ValueError(f"names of variables have at most {longest} characters")
    if "." in name:
        reference = _reference(name, 0, has_global=has_global)
        if len(reference.name) <= longest:
            return reference
    if not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a variable")
    return Reference(name.lower())
