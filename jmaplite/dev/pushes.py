"""What becomes of changes on their way to clients: lost, told twice or late, or the end of the stream."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from jmaplite.dev.clock import Clock
from jmaplite.dev.directory import PAGE
from jmaplite.dev.exchanges import Exchange, Exchanges
from jmaplite.dev.faults import Event, Faults, Rule
from jmaplite.push import Ended, Hub, News, Visible, Watcher
from jmaplite.push.client import Answer
from jmaplite.push.desk import Message
from jmaplite.push.webpush import Equipment
from jmaplite.store import Store


@dataclass(frozen=True, slots=True)
class Connection:
    """That by which a stream goes: `abort` ends it without a word."""

    transport: str
    path: str
    abort: Callable[[], None]


CONNECTION: ContextVar[Connection] = ContextVar("connection")
"""The connection whose request or WebSocket is served."""


class FixtureWatcher(Watcher):
    """A client whose changes rules may have something to say about."""

    __slots__ = ("_connection", "_is_first", "_queue")

    _hub: FixtureHub

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._connection = CONNECTION.get(None)
        self._is_first = False
        self._queue: deque[tuple[float, News | None]] = deque()
        """What is to be told, each not before a time of the hub's; None is the end of the stream."""

    def want_nothing(self) -> None:
        """Be told nothing, until `want` is called again."""
        super().want_nothing()
        self._queue.clear()
        self._hub.listening.discard(self)

    def want(self, types: Any, since: str | None = None) -> None:
        """Be told of changes, as the hub has it."""
        super().want(types, since)
        self._hub.listening.add(self)

    async def next(self) -> News:
        """The next news, or what rules have made of them. Raises Ended."""
        while True:
            if self._is_gone is not None:
                raise Ended(gone=self._is_gone)
            if not self._queue:
                self._queue.extend(self._judged(await super().next()))
            elif (left := self._queue[0][0] - self._hub.now()) > 0:
                await self._pause(left)
            elif (news := self._queue.popleft()[1]) is not None:
                return news
            else:
                self._cut()

    def _tell(self) -> News:
        self._is_first = self._unseen is not None
        return super()._tell()

    def _judged(self, news: News) -> Iterable[tuple[float, News | None]]:
        rule = self._rule(news)
        if rule is None:
            return [(0.0, news)]
        effect = rule.effect
        when = self._hub.now() + effect.delay
        is_socket = self._connection is not None and self._connection.transport == "websocket"
        # Whoever begins waits for where things are, and a WebSocket lets nothing that it is asked pass this.
        begin = [(0.0, News({}, news.state))] if self._is_first and (is_socket or effect.push == "drop") else []
        if effect.drop_stream:
            return [*begin, (when, None)]
        if effect.push == "drop":
            return begin
        return [*begin, *[(when, news)] * (2 if effect.push == "repeat" else 1)]

    def _rule(self, news: News) -> Rule | None:
        """The rule that fires because of any of the accounts that have changed."""
        if self.principal.credential == PAGE:
            return None
        transport = self._connection.transport if self._connection else ""
        path = self._connection.path if self._connection else ""
        events = (Event(transport, "", account_id, self.principal.name, path) for account_id in news.changed)
        return _fired(self._hub.faults, self._hub.exchanges, events)

    def _cut(self) -> None:
        if self._connection is not None:
            self._connection.abort()
        self.end(gone=False)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than there is something to wait for."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._waiter
        finally:
            self._waiter = None


class FixtureHub(Hub):
    """A hub that misbehaves where a rule says so, and whose patience is measured by a fixture's clock."""

    kind_of_watcher = FixtureWatcher

    def __init__(self, store: Store, visible: Visible, faults: Faults, exchanges: Exchanges, clock: Clock) -> None:
        super().__init__(store, visible)
        self.faults = faults
        self.exchanges = exchanges
        self.listening: set[Watcher] = set()
        self.ending = asyncio.Event()
        """Set when the server is about to stop."""
        self._clock = clock
        self._patient: dict[asyncio.Timeout, _Patience] = {}

    def start(self) -> None:
        """Begin to listen."""
        super().start()
        self._clock.listen(self._clock_moved)

    def end(self) -> None:
        """End every watcher, and whoever else waits for something: the server stops."""
        super().end()
        self.ending.set()

    def look_anew(self) -> None:
        """Find out who is there, since somebody may have gone; safe to call from any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.renew, self._visible)

    def tells(self, user: str) -> bool:
        """Whether a client of a user, other than the inspector, is told of changes; safe to ask from any thread."""
        principals = (watcher.principal for watcher in tuple(self.listening))
        return any(one.name == user and one.credential != PAGE for one in principals)

    def patience(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Within it, TimeoutError is raised when so many seconds have passed by the clock."""
        return super().patience(None) if seconds is None else self._patience(seconds)

    @asynccontextmanager
    async def _patience(self, seconds: float) -> AsyncIterator[None]:
        patience = _Patience(self._clock, self._clock(), seconds)
        async with asyncio.timeout(patience.left()) as timeout:
            self._patient[timeout] = patience
            try:
                yield
            finally:
                del self._patient[timeout]

    def _clock_moved(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        for timeout, patience in self._patient.items():
            left = patience.left()
            if not timeout.expired():
                timeout.reschedule(None if left is None else self._loop.time() + left)


@dataclass(slots=True)
class _Patience:
    """So many seconds by a clock, from when it began."""

    clock: Clock
    began: float
    seconds: float

    def left(self) -> float | None:
        """Seconds that are left, or None while the clock stands still before the end."""
        now = self.clock()
        self.began = min(self.began, now)  # somebody has set it back
        left = max(self.began + self.seconds - now, 0.0)
        return None if left and self.clock.is_frozen else left


@dataclass(frozen=True, slots=True)
class FixtureEquipment(Equipment):
    """A sender's equipment that loses, repeats or keeps messages where a rule says so."""

    faults: Faults = field(kw_only=True)
    exchanges: Exchanges = field(kw_only=True)

    async def post(self, message: Message) -> Answer:
        """Post a message; one that was lost counts as delivered. Raises Refused, Unreachable."""
        rule = self._rule(message)
        if rule is None:
            return await self._posted(message)
        await asyncio.sleep(rule.effect.delay)
        if rule.effect.push == "drop":
            return Answer(201, None)
        if rule.effect.push == "repeat":
            await self._posted(message)
        return await self._posted(message)

    async def _posted(self, message: Message) -> Answer:
        return await self.client.post(message.url, message.headers, message.body)

    def _rule(self, message: Message) -> Rule | None:
        told = message.told
        accounts = [message.account_id] if told is None else [*told.states, *told.arrived]
        events = (Event("push", "", account_id, message.user, message.url) for account_id in accounts)
        return _fired(self.faults, self.exchanges, events)


def _fired(faults: Faults, exchanges: Exchanges, events: Iterable[Event]) -> Rule | None:
    """The first rule that fires on any of the events, which are of one push; it is seen in the log."""
    for event in events:
        rule = faults.fire(event, of="push")
        if rule is not None:
            is_lost = rule.effect.push == "drop" or rule.effect.drop_stream
            verb, status = "POST" if event.transport == "push" else "GET", 0 if is_lost else 200
            number, now = exchanges.number(), time.time()
            logged = Exchange(number, event.transport, event.user, now, b"", event.path, verb, status=status)
            logged.faults.append(rule.id)
            exchanges.add(logged)
            return rule
    return None
