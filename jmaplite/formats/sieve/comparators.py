"""Comparators: what strings are made of before they are compared (RFC 4790 §9, RFC 5051)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_INFINITY = (1, 0, b"")


def _octet(value: bytes) -> bytes:
    return value


def _ascii(value: bytes) -> bytes:
    return value.upper()  # of octets it knows US-ASCII only


def _numeric(value: bytes) -> tuple[int, int, bytes]:
    """What orders as the number does that the value begins with; no digit is infinity (RFC 4790 §9.1.1)."""
    length = len(value) - len(value.lstrip(b"0123456789"))
    if not length:
        return _INFINITY
    digits = value[:length].lstrip(b"0")
    return 0, len(digits), digits


@lru_cache(maxsize=4096)
def _titlecase(character: str) -> bytes:
    return unicodedata.normalize("NFKD", _simple_title(character)).encode()


def _simple_title(character: str) -> str:
    title = character.title()
    return title if len(title) == 1 else character


def _unicode(value: bytes) -> bytes:
    """Every character in title case and decomposed; what is no UTF-8 stays as it is (RFC 5051 §2)."""
    if value.isascii():
        return value.upper()
    try:
        return b"".join(map(_titlecase, value.decode()))
    except UnicodeDecodeError:
        return value


@dataclass(frozen=True, slots=True)
class Comparator:
    """A comparator: how a value is prepared so that plain comparison does, and what it can be used for.

    `keeps_length` tells that an octet of the prepared value stands where its own stood.
    """

    name: str
    prepare: Callable[[bytes], Any]
    has_substrings: bool = True
    keeps_length: bool = True

    def prepare_with_places(self, value: bytes) -> tuple[bytes, list[int] | None]:
        """The prepared value, and for each of its octets and its end the place in the value that it is from."""
        prepared = self.prepare(value)
        if self.keeps_length or value.isascii() or prepared is value:
            return prepared, None
        places: list[int] = []
        at = 0
        for character in value.decode():
            places += [at] * len(_titlecase(character))
            at += len(character.encode())
        places.append(at)
        return prepared, places


COMPARATORS = {
    comparator.name: comparator
    for comparator in (
        Comparator("i;octet", _octet),
        Comparator("i;ascii-casemap", _ascii),
        Comparator("i;ascii-numeric", _numeric, has_substrings=False),
        Comparator("i;unicode-casemap", _unicode, keeps_length=False),
    )
}
"""Comparators by name."""

DEFAULT_COMPARATOR = COMPARATORS["i;ascii-casemap"]
