"""Collations as sort keys: octets that compare as the strings shall (RFC 4790 §9, RFC 5051)."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable

DEFAULT = "i;unicode-casemap"
"""The collation of a Comparator that names none: aware of Unicode, blind to case (RFC 8620 §5.5)."""

_DIGITS = re.compile("0*([0-9]*)")
_LAST_CASED = 0x1FFFF
"""Beyond the Supplementary Multilingual Plane no character has a case."""


def _ascii_casemap(value: str) -> bytes:
    """RFC 4790 §9.2: octets, the letters a to z as A to Z."""
    return value.encode("utf-8", "surrogatepass").upper()


def _ascii_numeric(value: str) -> bytes:
    """RFC 4790 §9.1: the digits that the string begins with, as a number; infinity if there are none."""
    match = _DIGITS.match(value)
    if match is None or not match.group():
        return b"\xff" * 8
    digits = match.group(1)
    return len(digits).to_bytes(8, "big") + digits.encode()


def _unicode_casemap(value: str) -> bytes:
    """RFC 5051 §2: titlecase character by character, then Normalization Form KD."""
    if value.isascii():
        return value.upper().encode()
    titled = value.translate(_titlecase())
    return unicodedata.normalize("NFKD", titled).encode("utf-8", "surrogatepass")


@functools.cache
def _titlecase() -> dict[int, str]:
    """The titlecase property of every character that has one of its own.

    Mappings to more than one character are from elsewhere than UnicodeData.txt, so they do not count.
    """
    titled = ((code, chr(code).title()) for code in range(_LAST_CASED + 1))
    return {code: title for code, title in titled if len(title) == 1 and title != chr(code)}


_KEYS: dict[str, Callable[[str], bytes]] = {
    "i;ascii-numeric": _ascii_numeric,
    "i;ascii-casemap": _ascii_casemap,
    "i;unicode-casemap": _unicode_casemap,
}

ALGORITHMS: tuple[str, ...] = tuple(_KEYS)
"""The identifiers that the core capability announces as collationAlgorithms."""


def key(name: str, value: str) -> bytes:
    """The sort key of a string: keys compare as octets. Raises KeyError for an unknown collation."""
    return _KEYS[name](value)
