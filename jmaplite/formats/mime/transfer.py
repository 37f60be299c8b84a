"""Content-Transfer-Encoding: octets out of base64 and quoted-printable (RFC 2045 §6)."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp

_NOT_BASE64 = bytes(
    n for n in range(256) if n not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)
_TOKEN = re.compile(r'[\s"]*([A-Za-z0-9-]*)')
_ENCODINGS = {"base64": "b", "quoted-printable": "q", "": "", "7bit": "", "8bit": "", "binary": ""}
_TRAILING_SPACE = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_BARE_CR = re.compile(rb"=\r(?!\n)")
_DOUBLE = re.compile(rb"=(?==)")


def encoding_of(value: str) -> tuple[str, bool]:
    """("", "b" or "q", whether it is unknown) of a Content-Transfer-Encoding without comments."""
    found = _TOKEN.match(value)
    token = found[1].lower() if found else ""
    known = _ENCODINGS.get(token)
    return ("", True) if known is None else (known, False)


def decode(raw_body: bytes, encoding: str) -> bytes:
    """The octets of a body after transfer decoding; encoding is "", "b" or "q". Never raises."""
    if encoding == "b":
        return base64(raw_body)
    if encoding == "q":
        return quoted_printable(raw_body)
    return raw_body


def base64(octets: bytes) -> bytes:
    """Decode base64, ignoring what is not of its alphabet; the first "=" ends the data (RFC 2045 §6.8)."""
    end = octets.find(b"=")
    if end >= 0:
        octets = octets[:end]
    try:
        return a2b_base64(octets + b"==")
    except Error:  # a last group of a single character holds no octet
        return a2b_base64(octets.translate(None, _NOT_BASE64)[:-1] + b"==")


def quoted_printable(octets: bytes) -> bytes:
    """Decode quoted-printable; an "=" that starts no escape stays as it is (RFC 2045 §6.7)."""
    if b" \r" in octets or b" \n" in octets or b"\t\r" in octets or b"\t\n" in octets or octets[-1:] in b" \t":
        octets = _TRAILING_SPACE.sub(b"", octets)
    if b"=\r" in octets and octets.count(b"=\r") != octets.count(b"=\r\n"):
        octets = _BARE_CR.sub(b"=\r\n", octets)
    return escapes(octets)


def escapes(octets: bytes) -> bytes:
    """Decode the =XX of quoted-printable or of the "Q" encoding alone."""
    # a2b_qp reads "==" as one "=", which would hide the escape after it
    return a2b_qp(_DOUBLE.sub(b"=3D", octets) if b"==" in octets else octets)
