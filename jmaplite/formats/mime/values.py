"""The content of parts: transfer-decoded octets, and text by charset (RFC 8621 §4.1.4 bodyValues)."""

from __future__ import annotations

import re

from jmaplite.formats.mime import charsets, transfer
from jmaplite.formats.mime.structure import Part

# In a quoted attribute a ">" ends nothing.
_TAG = re.compile(r"""<(?:[!?][^>]*+|[A-Za-z/](?:[^>=]++|=\s*+(?:"[^"]*+"?|'[^']*+'?)?)*|\Z)(>?)""")


def part_octets(octets: bytes, part: Part) -> bytes:
    """The content of a part after transfer decoding, as its blob holds it; part.size octets."""
    return transfer.decode(octets[part.body_start : part.body_end], part.encoding)


def body_value(octets: bytes, part: Part, max_bytes: int = 0, *, guess: bool = True) -> tuple[str, bool, bool]:
    """(value, isEncodingProblem, isTruncated) of a text part, in at most max_bytes octets of UTF-8 unless 0.

    Truncation keeps code points whole, and in HTML tags (RFC 8621 §4.2). `guess`: see docs/self-hosting.md.
    """
    is_html, content = part.type == "text/html", part_octets(octets, part)
    if guess:
        value, is_problem = charsets.decode(content, part.charset, is_html=is_html)
    else:
        value, is_problem = charsets.decode_strictly(content, part.charset)
    value = value.replace("\r\n", "\n")
    is_problem = is_problem or part.is_encoding_unknown
    if not max_bytes or (len(value) <= max_bytes and len(encoded := value.encode()) <= max_bytes):
        return value, is_problem, False
    encoded = value[:max_bytes].encode()
    value = encoded[:max_bytes].decode("utf-8", "ignore")
    return _without_open_tag(value) if is_html else value, is_problem, True


def beginning(octets: bytes, part: Part, limit: int) -> str:
    """Text of about the first limit octets of a text part, CRLF as LF; a long part costs no more."""
    end = part.body_end
    is_cut = end - part.body_start > limit
    if is_cut:
        end = part.body_start + limit
        # a character of several octets does not contain a line end
        end = octets.rfind(b"\n", part.body_start, end) + 1 or end
    content = transfer.decode(octets[part.body_start : end], part.encoding)
    if is_cut and part.encoding == "b":
        content = content[: content.rfind(b"\n") + 1 or len(content)]
    value, _ = charsets.decode(content, part.charset, is_html=part.type == "text/html")
    return value.replace("\r\n", "\n")


def _without_open_tag(value: str) -> str:
    """The value without a tag at its end that is cut off."""
    for found in _TAG.finditer(value):
        if not found[1]:
            return value[: found.start()]
    return value
