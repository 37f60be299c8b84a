"""A request's body, pulled piece by piece: who sends faster than we take is held up, and who is slow is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Sequence
from contextlib import ExitStack
from typing import Any

from hypercorn.typing import ASGIReceiveCallable
from quart import Request, request

from jmaplite.web.problems import Problem

LEAST_RATE = 1000
"""Octets a second that a body must come with on the whole, once its first seconds are over."""


class Disconnected(Exception):
    """The client went before its request was whole: nobody is left to be answered."""


class BodyTooLarge(Exception):
    """A request's body has more octets than whoever reads it wants."""


class Body:
    """A request's body; it can be read once. `receive` and `patience` (seconds) are set before anybody reads.

    `complete`: all of it was received. `abandoned`: the client went before. `refused`: it is not worth waiting
    for the rest.
    """

    receive: ASGIReceiveCallable
    patience: float
    _timeout: asyncio.Timeout

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        self.expected = expected_content_length
        self.complete = False
        self.abandoned = False
        self.refused = False
        self._received = 0
        self._started: float | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next octets. Raises Disconnected, and Problem 408 when they do not come."""
        octets = await self._patiently(self._next())
        if not octets:
            raise StopAsyncIteration
        return octets

    def __await__(self) -> Generator[Any, None, bytes]:
        return self.read().__await__()

    async def read(self, limit: int | None = None) -> bytes:
        """The whole body. Raises BodyTooLarge, Disconnected, and Problem 408 when it does not come."""
        if limit is not None and self.expected is not None and self.expected > limit:
            raise BodyTooLarge
        return await self._patiently(self._all(limit))

    async def settle(self) -> None:
        """Take what has already come of a body that nobody wanted."""
        await self.discard(0)

    async def discard(self, seconds: float | None) -> None:
        """Take what comes of a body that nobody wants, for no longer than some seconds (None: to its end)."""
        try:
            async with asyncio.timeout(seconds):
                while await self._next():
                    pass
        except (TimeoutError, Disconnected):
            pass

    async def _next(self) -> bytes:
        """The next octets, none at the end. Raises Disconnected."""
        while not self.complete:
            if self.abandoned:
                raise Disconnected
            message = await self.receive()
            if message["type"] != "http.request":
                self.abandoned = True
                raise Disconnected
            self.complete = not message.get("more_body", False)
            octets = message.get("body", b"")
            if octets:
                self._received += len(octets)
                return octets
        return b""

    async def _all(self, limit: int | None) -> bytes:
        pieces = []
        size = 0
        while octets := await self._next():
            size += len(octets)
            if limit is not None and size > limit:
                raise BodyTooLarge
            pieces.append(octets)
            if size != self.expected:
                self._timeout.reschedule(self._deadline())
        return b"".join(pieces)

    async def _patiently(self, work: Coroutine[Any, Any, bytes]) -> bytes:
        """Wait for octets until the deadline. Raises Problem 408."""
        try:
            async with asyncio.timeout_at(self._deadline()) as self._timeout:
                return await work
        except TimeoutError:
            self.refused = True
            raise Problem(408, "The request's body did not come in time.") from None

    def _deadline(self) -> float:
        """When the next octets must be there: sooner for who has been slow all the time."""
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        behind = now - self._started - self._received / LEAST_RATE
        return now + self.patience - max(0.0, behind)


class JMAPRequest(Request):
    """A request whose body is pulled. `held` is kept until its answer was taken, or its connection has gone.

    For the log there are its `id`, the name of the `user` once it is known, and the method calls in it: their names,
    and the types of their errors ("" where there is none).
    """

    body_class = Body  # type: ignore[assignment]
    body: Body  # type: ignore[assignment]
    held: ExitStack
    id: str
    user: str | None = None
    called: Sequence[tuple[str, str]] = ()


def refuse_encoded(request: Request) -> None:
    """Raise Problem for octets that would have to be unpacked first (RFC 9110 §15.5.16)."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", ""):
        raise Problem(415, "Requests are taken as they are, not compressed.", [("Accept-Encoding", "identity")])


def current() -> JMAPRequest:
    """The request under way in this task; each look through Quart's proxy would cost anew."""
    proxy: Any = request
    found: JMAPRequest = proxy._get_current_object()
    return found
