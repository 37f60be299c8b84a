"""The configured header lines, on every answer: each in the place of the one that the server would send itself."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from email.utils import formatdate

Lines = list[tuple[bytes, bytes]]

FRAMING = frozenset({"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
"""What says where a message ends: these are the server's alone (RFC 9112 §6)."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")


class AnswerHeaders:
    """Header lines for every answer.

    The same name may stand in several lines. Raises ValueError for a line that HTTP cannot carry, or that
    belongs to the framing of messages.
    """

    def __init__(self, configured: Iterable[tuple[str, str]] = ()) -> None:
        self.lines: Lines = []
        vary: list[str] = []
        for name, value in configured:
            if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
                raise ValueError(f"not a header line: {name!r}: {value!r}")
            if name.lower() in FRAMING:
                raise ValueError(f"{name} is set by the server alone")
            if name.lower() == "vary":
                vary.append(value)
            else:
                self.lines.append((name.lower().encode(), value.strip().encode()))
        self._vary = ", ".join(vary).encode()
        self._names = frozenset(name for name, _ in self.lines)
        self._dates = b"date" not in self._names
        self._date: tuple[int, Lines] = (0, [])

    def merged(self, own: Lines) -> Lines:
        """An answer's own lines (names in lower case) with the configured ones.

        Vary alone keeps both: what the server leaves out of it, caches would mix up (RFC 9110 §12.5.5).
        """
        if self._names:
            own = [line for line in own if line[0] not in self._names]
            own += self.lines
        if self._vary:
            vary = [value for name, value in own if name == b"vary"]
            own = [line for line in own if line[0] != b"vary"]
            own.append((b"vary", b", ".join([self._vary, *vary])))
        return own

    def date(self) -> Lines:
        """The Date line, if none is configured."""
        if not self._dates:
            return []
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, [(b"date", formatdate(now, usegmt=True).encode())])
        return self._date[1]
