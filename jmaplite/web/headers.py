"""The configured header lines, on every answer: each in the place of the one that the server would send itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from email.utils import formatdate

from jmaplite.web.cors import PERMISSIVE, Origins
from jmaplite.web.settings import HTTPSettings

Lines = list[tuple[bytes, bytes]]

FRAMING = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
"""What says where a message ends: these are the server's alone (RFC 9112 §6)."""

_HSTS: Lines = [(b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload")]
"""A year of nothing but TLS; to be said over TLS only (RFC 6797 §7.2)."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")


class AnswerHeaders:
    """Header lines for every answer: the configured ones, and what pages of other origins need to be told.

    The same name may stand in several lines. Raises ValueError for a line that HTTP cannot carry, or that
    belongs to the framing of messages.
    """

    def __init__(self, configured: Iterable[tuple[str, str]] = (), about: HTTPSettings | None = None) -> None:
        about = about or HTTPSettings()
        self.lines: Lines = []
        vary: list[str] = []
        for name, value in _completed(list(configured), permissive=about.permissive):
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"not a header line: {name!r}: {value!r}")
            if name.lower() in FRAMING:
                raise ValueError(f"{name} is set by the server alone")
            if name.lower() == "vary":
                vary.append(value)
            else:
                self.lines.append((name.lower().encode(), value.strip().encode()))
        self._origins = Origins(about.cors) if about.cors is not None else None
        if self._origins is not None:
            vary.append("Origin")
        self._secure = _HSTS if about.hsts else []
        self._vary = ", ".join(vary).encode()
        self._names = frozenset(name for name, _ in self.lines)
        self.any = bool(self._names or self._vary or self._secure)
        self._dates = b"date" not in self._names
        self._date: tuple[int, Lines] = (0, [])

    def merged(self, own: Lines, request: Lines, method: str, *, secure: bool) -> Lines:
        """An answer's own lines (names in lower case) with the configured ones, for a request's header lines.

        Vary alone keeps both: what the server leaves out of it, caches would mix up (RFC 9110 §12.5.5).
        """
        if self._secure and (secure or (b"x-forwarded-proto", b"https") in request):
            # Whoever only says so gets what browsers ignore where it is not so (RFC 6797 §8.1).
            own = own + self._secure
        if self._origins is not None:
            own = own + self._asked(self._origins, request, method)
        if self._names:
            own = [line for line in own if line[0] not in self._names]
            own += self.lines
        if self._vary:
            vary = [value for name, value in own if name == b"vary"]
            own = [line for line in own if line[0] != b"vary"]
            own.append((b"vary", b", ".join([self._vary, *vary])))
        return own

    def _asked(self, origins: Origins, request: Lines, method: str) -> Lines:
        """What is answered to the page that a request comes from, if it comes from one."""
        found = [value for name, value in request if name == b"origin"]
        if len(found) != 1:
            return []
        preflight = method == "OPTIONS" and any(name == b"access-control-request-method" for name, _ in request)
        return origins.lines(found[0], preflight=preflight)

    def date(self) -> Lines:
        """The Date line, if none is configured."""
        if not self._dates:
            return []
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, [(b"date", formatdate(now, usegmt=True).encode())])
        return self._date[1]


def _completed(configured: list[tuple[str, str]], *, permissive: bool) -> list[tuple[str, str]]:
    """The configured lines, with what lets every page in, and with Authorization where `*` stands for it.

    Browsers do not count it in (Fetch standard, CORS-unsafe request-header names).
    """
    if permissive:
        names = {name.lower() for name, _ in configured}
        configured = [*configured, *(line for line in PERMISSIVE if line[0].lower() not in names)]
    allowed = [value for name, value in configured if name.lower() == "access-control-allow-headers"]
    elements = {element.strip().lower() for value in allowed for element in value.split(",")}
    if "*" not in elements or "authorization" in elements:
        return configured
    return [
        (name, f"{value}, Authorization")
        if name.lower() == "access-control-allow-headers" and "*" in value.replace(" ", "").split(",")
        else (name, value)
        for name, value in configured
    ]
