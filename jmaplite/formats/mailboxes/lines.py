"""Line ends: messages are kept with CRLF (RFC 5322 §2.1), files of other programs mostly have LF."""

from __future__ import annotations

import re

_BARE_LF = re.compile(rb"(?<!\r)\n")


def to_crlf(octets: bytes) -> bytes:
    """Every LF that no CR precedes becomes CRLF; everything else, bare CR too, stays."""
    ends = octets.count(b"\n")
    if octets.count(b"\r\n") == ends:
        return octets
    if b"\r" not in octets:
        return octets.replace(b"\n", b"\r\n")
    return _BARE_LF.sub(b"\r\n", octets)


def to_lf(octets: bytes) -> bytes:
    """CRLF becomes LF if `to_crlf` can undo it; a message with a bare LF or with CR CR LF stays as it is."""
    if b"\r\r\n" in octets or octets.count(b"\r\n") != octets.count(b"\n"):
        return octets
    return octets.replace(b"\r\n", b"\n")
