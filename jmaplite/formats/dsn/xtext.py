"""Values of parameters of SMTP that may hold anything: xtext (RFC 3461 §4) and unitext (RFC 6533 §3)."""

from __future__ import annotations

import re

_TO_BE_WRITTEN = re.compile(r"[^!-*,-<>-~]")
_ENCODED = re.compile(r"\+([0-9A-F]{2})")
_ESCAPED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def to_xtext(text: str) -> str:
    """US-ASCII text as xtext; what is beyond it stands as its UTF-8 (RFC 6533 §3 lets SMTPUTF8 have it so)."""
    return _TO_BE_WRITTEN.sub(lambda found: found[0] if found[0] > "\x7f" else f"+{ord(found[0]):02X}", text)


def from_xtext(text: str) -> str:
    """The text that xtext stands for; what is none stays as it is."""
    return _ENCODED.sub(lambda found: chr(int(found[1], 16)), text)


def from_unitext(text: str) -> str:
    r"""The text that unitext in US-ASCII (`\x{E9}`) stands for; what is none stays as it is."""

    def character(found: re.Match[str]) -> str:
        number = int(found[1], 16)
        return found[0] if number > 0x10FFFF or 0xD800 <= number < 0xE000 else chr(number)

    return _ESCAPED.sub(character, text)
