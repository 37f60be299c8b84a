"""An engine and a verifier that do as a test tells them, where the real ones cannot be made to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from jmaplite.core.engine import Concurrency
from jmaplite.core.limits import Limits
from jmaplite.directory import Principal


@dataclass(frozen=True)
class FakeServices:
    """Limits alone."""

    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class FakeSession:
    """A session of any size."""

    document: Mapping[str, Any]
    accounts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return dict(self.document)


def echo(body: bytes) -> bytes:
    """The plainest engine there is."""
    return body


class FakeEngine:
    """Answers a request with what a function makes of its octets."""

    def __init__(self, answer: Callable[[bytes], bytes] = echo, limits: Limits | None = None) -> None:
        self.services = FakeServices(limits or Limits())
        self.document: dict[str, Any] = {}
        self._answer = answer
        self._requests = Concurrency("maxConcurrentRequests", self.services.limits.max_concurrent_requests)

    def request_slot(self, user: str) -> AbstractContextManager[None]:
        return self._requests.slot(user)

    def session(self, principal: Principal, base_url: str) -> FakeSession:
        return FakeSession({"apiUrl": base_url + "/jmap/"} | self.document)

    def process(
        self, principal: Principal, base_url: str, body: bytes, *, called: list[tuple[str, str]] | None = None
    ) -> bytes:
        return self._answer(body)


class FakeVerifier:
    """Lets everybody in, or nobody, after `verify` has been told to go on."""

    def __init__(self, error: Exception | None = None, *, cached: bool = True, known: bool = True) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self._error = error
        self._cached = cached
        self._known = known
        self.threads: set[str] = set()

    def cached(self, authorization: str) -> Principal | None:
        return Principal("demo") if self._cached else None

    def verify(self, authorization: str) -> Principal | None:
        self.threads.add(threading.current_thread().name)
        assert self.go_on.wait(30)
        if self._error is not None:
            raise self._error
        return Principal("demo") if self._known else None
