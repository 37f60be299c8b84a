"""Keywords (RFC 8621 §4.1.1)."""

from __future__ import annotations

import re

_KEYWORD = re.compile(r"[!#$&'+-Z^-z|}~\[]{1,255}")


def is_keyword(text: str) -> bool:
    """Whether a string can be a keyword: 1 to 255 characters of %x21-%x7e but ( ) { ] % * " and backslash."""
    return _KEYWORD.fullmatch(text) is not None
