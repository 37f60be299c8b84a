"""gzip for JSON, where the client takes it and it pays (RFC 9110 §12.5.3)."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

LEAST_OCTETS = 1400
"""A shorter answer fits one packet as it is: nothing would be won."""

LEVEL = 1

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip, and does not like the plain octets better."""
    qualities: dict[str, float] = {}
    for element in accept_encoding.split(","):
        coding, *parameters = (part.strip() for part in element.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                quality = float(value) if _QUALITY.fullmatch(value := value.strip()) else 0.0
        qualities[coding.lower()] = quality
    any_other = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", qualities.get("x-gzip", any_other))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def gzip(octets: bytes) -> bytes:
    """The octets in a gzip container. Lets go of the GIL."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(octets) + compressor.flush()
