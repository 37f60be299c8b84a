"""Which web pages of other origins a browser lets in (the Fetch standard's CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from jmaplite.web.settings import Cors

Lines = list[tuple[bytes, bytes]]

_METHODS = "GET, HEAD, POST, OPTIONS"

_HEADERS = (
    "Authorization, Content-Type, Accept, Last-Event-ID, Cache-Control, Range, If-Range, If-None-Match, "
    "X-Requested-With, X-Request-Id, *"
)
"""What pages may send. `*` means nothing where credentials are allowed, and never Authorization."""

_EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-Range, Date, ETag, Location, "
    "Retry-After, WWW-Authenticate, X-Request-Id"
)
"""What pages may read beyond what they always may."""

PERMISSIVE = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, X-Requested-With, Last-Event-ID, *"),
    ("Access-Control-Allow-Methods", "POST, GET, PATCH, PUT, DELETE, HEAD, OPTIONS"),
    ("Access-Control-Expose-Headers", _EXPOSED),
)
"""The header lines that let every page in, if it knows a password."""

_LONGEST_ORIGIN = 300

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Origins:
    """Answers to pages of some origins."""

    def __init__(self, cors: Cors) -> None:
        self._patterns = tuple(re.compile(_pattern(one)) for one in cors.origins)
        self._wildmat = tuple(_wildmat(cors.wildmat))
        self._shared = [(b"access-control-expose-headers", _EXPOSED.encode())]
        if cors.credentials:
            self._shared.append((b"access-control-allow-credentials", b"true"))
        self._preflight = [
            (b"access-control-allow-methods", _METHODS.encode()),
            (b"access-control-allow-headers", _HEADERS.encode()),
            (b"access-control-max-age", str(cors.max_age).encode()),
        ]
        self._allows = lru_cache(maxsize=256)(self._looked_up)

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin, as a browser writes it, are let in."""
        return len(origin) <= _LONGEST_ORIGIN and self._allows(origin)

    def lines(self, origin: bytes, *, preflight: bool) -> Lines:
        """The header lines for a page that asks, or asks whether it may; none if it may not."""
        if not self.allows(origin.decode("latin-1")):
            return []
        answer = [(b"access-control-allow-origin", origin), *self._shared]
        return answer + self._preflight if preflight else answer

    def _looked_up(self, origin: str) -> bool:
        folded = origin.lower()
        if any(pattern.fullmatch(folded) for pattern in self._patterns):
            return True
        # The last pattern that fits decides (RFC 3977 §4.1).
        return next((allowed for allowed, pattern in reversed(self._wildmat) if pattern.fullmatch(origin)), False)


def _pattern(origin: str) -> str:
    """An origin as a regular expression: `*` stands for labels of a host, for a port, or alone for everything."""
    if origin == "*":
        return r"[!-~]+"
    scheme, _, authority = origin.lower().rstrip("/").partition("://")
    authority = authority.removesuffix(_DEFAULT_PORTS.get(scheme, "/"))
    host, port = re.fullmatch(r"(.*?)(:[0-9*]+)?", authority, re.DOTALL).groups()  # type: ignore[union-attr]
    host = re.escape(host).replace(r"\*", r"[a-z0-9_.-]+")
    port = re.escape(port or "").replace(r"\*", r"[0-9]+")
    return f"{re.escape(scheme)}://{host}{port}"


def _wildmat(patterns: str) -> Iterable[tuple[bool, re.Pattern[str]]]:
    """Each pattern of a wildmat, and whether it allows or forbids."""
    for text in re.split(r"[,\s]+", patterns):
        forbids = text.startswith(("!", "@"))
        if text:
            yield not forbids, re.compile(_wild(text[1:] if forbids else text), re.DOTALL)


def _wild(pattern: str) -> str:
    """A pattern of a wildmat as a regular expression: `*`, `?`, `[...]`, `[^...]`, and `\\` before a character."""
    made, at = "", 0
    while at < len(pattern):
        one, at = pattern[at], at + 1
        if one == "*":
            made += "" if made.endswith(".*") else ".*"
        elif one == "?":
            made += "."
        elif one == "\\" and at < len(pattern):
            made, at = made + re.escape(pattern[at]), at + 1
        elif one == "[" and (end := pattern.find("]", at + 1 + pattern.startswith("^", at))) > 0:
            made, at = made + _set(pattern[at:end]), end + 1
        else:
            made += re.escape(one)
    return made


def _set(inside: str) -> str:
    """What stands between the brackets of a pattern: characters, and ranges of them."""
    negated = inside.startswith("^")
    characters = inside.removeprefix("^")
    made, at = "", 0
    while at < len(characters):
        first = last = characters[at]
        if at + 2 < len(characters) and characters[at + 1] == "-":
            at, last = at + 2, characters[at + 2]
        at += 1
        if first <= last:
            made += f"{re.escape(first)}-{re.escape(last)}"
    if not made:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{made}]"
