"""JSON answers, in gzip where the client takes it and it pays (RFC 9110 §12.5.3)."""

from __future__ import annotations

import re
from functools import lru_cache

from isal import igzip
from quart import Request, Response

LEAST_OCTETS = 4096
"""A shorter answer leaves in the first packets as it is: nothing would be won."""

LEVEL = 2
"""Of ISA-L's 0 to 3: as small as zlib's best, in a tenth of the time of zlib's fastest."""

_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?", re.ASCII)


class JSONAnswers:
    """Makes answers out of JSON documents, compressed if that is switched on."""

    def __init__(self, *, compression: bool) -> None:
        self._compression = compression

    def accepts_gzip(self, request: Request) -> bool:
        """Whether the answer to a request may be in gzip."""
        return self._compression and accepts_gzip(request.headers.get("Accept-Encoding", ""))

    def response(self, document: bytes, status: int, cache_control: str) -> Response:
        """The response that carries a document, in gzip or not."""
        response = Response(document, status, content_type="application/json")
        response.headers["Cache-Control"] = cache_control
        if self._compression:
            response.headers["Vary"] = "Accept-Encoding"
            if document.startswith(_GZIP):
                response.headers["Content-Encoding"] = "gzip"
        return response


_GZIP = b"\x1f\x8b"
"""No JSON document begins so."""


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header allows gzip, and does not like the plain octets better."""
    qualities: dict[str, float] = {}
    for element in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in element.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = float(value) if _QUALITY.fullmatch(value := value.strip()) else 0.0
        qualities[coding] = quality
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def compressed(document: bytes, *, gzip: bool) -> bytes:
    """A document in gzip if that is allowed and it is long enough to pay. Lets go of the GIL meanwhile."""
    if not gzip or len(document) < LEAST_OCTETS:
        return document
    return igzip.compress(document, LEVEL, mtime=0)
