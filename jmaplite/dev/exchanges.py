"""The log of exchanges: every request with its method calls, what they answered, how long it took, what is odd."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MOST = 2000
"""Exchanges that are kept, the newest."""

MOST_OCTETS = 64 << 20
"""Octets of requests and responses that are kept with them altogether."""


@dataclass(slots=True)
class Call:
    """One method call: `milliseconds` that it took, `error` the type of the error that it was answered with."""

    method: str
    account: str
    milliseconds: float
    error: str = ""
    state: tuple[str, str] = ("", "")
    """What the response says of states: old (or that of a query), and new."""


@dataclass(frozen=True, slots=True)
class Warned:
    """A habit that is legal and still suspicious: the name of the rule, the section that it rests on, a sentence."""

    rule: str
    section: str
    text: str

    def to_json(self) -> dict[str, str]:
        """As an object."""
        return {"rule": self.rule, "section": self.section, "text": self.text}


@dataclass(slots=True)
class Exchange:
    """One request and its response, as octets; `began` in seconds since the epoch.

    `status` is that of HTTP, or 0 where nothing came back. `lengths` are the octets of bodies that are not kept.
    """

    id: int
    transport: str
    user: str
    began: float
    request: bytes
    url: str = ""
    verb: str = "POST"
    response: bytes = b""
    lengths: tuple[int, int] = (0, 0)
    status: int = 200
    milliseconds: float = 0.0
    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    @property
    def octets(self) -> int:
        """What it takes to keep it."""
        return len(self.request) + len(self.response)

    @property
    def sizes(self) -> tuple[int, int]:
        """Octets of the bodies of request and response."""
        return len(self.request) or self.lengths[0], len(self.response) or self.lengths[1]

    @property
    def has_failed(self) -> bool:
        """Whether it, or one of its calls, was answered with an error, or with nothing."""
        return not 0 < self.status < 400 or any(call.error for call in self.calls)

    def summary(self) -> dict[str, Any]:
        """Everything but request and response."""
        return {
            "id": self.id,
            "transport": self.transport,
            "user": self.user,
            "began": self.began,
            "httpMethod": self.verb,
            "url": self.url,
            "status": self.status,
            "milliseconds": round(self.milliseconds, 3),
            "requestOctets": self.sizes[0],
            "responseOctets": self.sizes[1],
            "calls": [
                {
                    "method": call.method,
                    "accountId": call.account,
                    "milliseconds": round(call.milliseconds, 3),
                    "error": call.error or None,
                    "oldState": call.state[0] or None,
                    "newState": call.state[1] or None,
                }
                for call in self.calls
            ],
            "faults": list(self.faults),
            "warnings": [warning.to_json() for warning in self.warnings],
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exchanges to show: the newest `limit` after the one with the id `after` that have all of these.

    `method` is a pattern, as of file names.
    """

    method: str = ""
    account: str = ""
    user: str = ""
    transport: str = ""
    failed: bool = False
    warned: bool = False
    after: int = 0
    limit: int = 200

    def fits(self, one: Exchange) -> bool:
        """Whether an exchange is of those."""
        return (
            one.id > self.after
            and (not self.method or any(fnmatchcase(call.method, self.method) for call in one.calls))
            and (not self.account or any(call.account == self.account for call in one.calls))
            and self.user in ("", one.user)
            and self.transport in ("", one.transport)
            and (not self.failed or one.has_failed)
            and (not self.warned or bool(one.warnings))
        )


class Exchanges:
    """The newest exchanges, within bounds; safe to use from any thread. Listeners are told of each (quick)."""

    def __init__(self) -> None:
        self._kept: deque[Exchange] = deque()
        self._octets = 0
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._listeners: tuple[Callable[[Exchange], None], ...] = ()

    def number(self) -> int:
        """The id for another exchange."""
        return next(self._numbers)

    def add(self, exchange: Exchange) -> None:
        """Keep an exchange that is over; the oldest make room."""
        with self._lock:
            self._kept.append(exchange)
            self._octets += exchange.octets
            while len(self._kept) > MOST or (self._octets > MOST_OCTETS and len(self._kept) > 1):
                self._octets -= self._kept.popleft().octets
        for listener in self._listeners:
            listener(exchange)

    def find(self, wanted: Wanted) -> list[Exchange]:
        """The exchanges asked for, the oldest first."""
        with self._lock:
            found = [one for one in self._kept if wanted.fits(one)]
        return found[-wanted.limit :] if wanted.limit else []

    def get(self, number: int) -> Exchange | None:
        """An exchange by its id."""
        with self._lock:
            return next((one for one in self._kept if one.id == number), None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self._octets = 0

    def listen(self, listener: Callable[[Exchange], None]) -> Callable[[], None]:
        """Have a function called for each exchange; answers how to stop."""
        self._listeners = (*self._listeners, listener)

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return stop


def states(response: Mapping[str, Any]) -> tuple[str, str]:
    """The states that the arguments of a response tell."""
    old = response.get("oldState") or response.get("oldQueryState") or response.get("queryState") or ""
    new = response.get("newState") or response.get("newQueryState") or response.get("state") or ""
    return str(old), str(new)


def har(exchanges: Iterable[Exchange], version: str, base: str) -> dict[str, Any]:
    """Exchanges as an HTTP Archive 1.2, which browsers' tools and others read; `base` is before a bare path."""
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "jmaplite", "version": version},
            "entries": [_entry(one, base) for one in exchanges],
        }
    }


def _entry(one: Exchange, base: str) -> dict[str, Any]:
    url = base + one.url if one.url.startswith("/") else one.url
    kind = "application/json" if one.response else "x-unknown"
    post = {"postData": {"mimeType": "application/json", "text": _text(one.request)}} if one.request else {}
    return {
        "startedDateTime": _date(one.began),
        "time": one.milliseconds,
        "request": {
            "method": one.verb,
            "url": url,
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "queryString": [{"name": name, "value": value} for name, value in parse_qsl(urlsplit(url).query, True)],
            "headersSize": -1,
            "bodySize": one.sizes[0],
            **post,
        },
        "response": {
            "status": one.status,
            "statusText": "",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [],
            "content": {"size": one.sizes[1], "mimeType": kind, "text": _text(one.response)},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": one.sizes[1],
        },
        "cache": {},
        "timings": {"send": 0, "wait": one.milliseconds, "receive": 0},
        "comment": f"{one.transport}, {one.user}: {', '.join(call.method for call in one.calls)}",
    }


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
