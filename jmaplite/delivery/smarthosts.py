"""The relay by servers that take mail for other places, in their order (RFC 5321, RFC 2033), on aiosmtplib."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field

from jmaplite.delivery.conversation import Conversation, Host, Unreachable
from jmaplite.delivery.relay import Parameters, Parcel, RelayEnds, Reply

logger = logging.getLogger(__name__)

IDLE_SECONDS = 5.0
"""How long a connection is kept for the next message."""

ASIDE_SECONDS = 30.0
"""How long a server that could not be reached is only asked if no other can be."""

ASK_SECONDS = 900.0
"""How often it is asked what is offered, when nothing is sent."""

GRACE_SECONDS = 5.0
"""How long what is under way may take when the server ends."""

MOST_RECIPIENTS = 100
"""Recipients of one transaction (RFC 5321 §4.5.3.1.8)."""


@dataclass(slots=True)
class _Line:
    """A server, with the connections to it that are at rest; `aside` is until when it is not asked first."""

    host: Host
    idle: list[tuple[float, Conversation]] = field(default_factory=list)
    aside: float = 0.0
    offers: Mapping[str, tuple[str, ...]] | None = None


class Smarthosts:
    """Sends by the first of several servers that can be reached, in an event loop with a thread of its own."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._lines = [_Line(host) for host in hosts]
        self._changed = threading.Condition()
        self._under_way = 0
        self._is_over = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def offers(self) -> Mapping[str, tuple[str, ...]]:
        """What all of them offer, as far as they have been reached: a message may take any."""
        known = [line.offers for line in self._lines if line.offers is not None]
        return {name: known[0][name] for name in known[0] if all(name in one for one in known)} if known else {}

    def start(self) -> None:
        """Ask what is offered, now and from time to time."""
        asyncio.run_coroutine_threadsafe(self._ask(), self._running())

    def send(self, parcel: Parcel) -> list[Reply]:
        """Send a message by the first server that can be reached. Raises RelayEnds."""
        with self._changed:
            if self._is_over:
                raise RelayEnds
            self._under_way += 1
        try:
            return asyncio.run_coroutine_threadsafe(self._send(parcel), self._running()).result()
        except CancelledError:
            raise RelayEnds from None
        except Exception:
            logger.exception("a message cannot be relayed")
            return [Reply("451 4.3.0 The message could not be relayed")] * len(parcel.recipients)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def stop(self, seconds: float = GRACE_SECONDS) -> None:
        """Send nothing more; what is under way has some seconds left, and is cut off then."""
        with self._changed:
            self._is_over = True
            self._changed.wait_for(lambda: not self._under_way, seconds)
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._farewell(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
            self._loop = self._thread = None

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._changed:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
                self._thread.start()
            return self._loop

    async def _farewell(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for line in self._lines:
            for _, conversation in line.idle:
                await conversation.end()
            line.idle = []
        await asyncio.sleep(0)  # connections that were cut are let go of in the next turn of the loop

    async def _ask(self) -> None:
        """Find out what is offered, again and again; and end connections that nobody needs any more."""
        asked = 0.0
        while True:
            now = time.monotonic()
            if not asked or now - asked >= ASK_SECONDS:
                asked = now
                for line in self._lines:
                    try:
                        self._rest(line, await self._conversation(line, anew=True))
                    except Unreachable as error:
                        logger.warning("the relay %s cannot be used: %s", line.host.shown, error)
                    except Exception:
                        logger.exception("the relay %s cannot be asked what it offers", line.host.shown)
            for line in self._lines:
                over = [one for one in line.idle if now - one[0] >= IDLE_SECONDS]
                line.idle = [one for one in line.idle if now - one[0] < IDLE_SECONDS]
                for _, conversation in over:
                    await conversation.end()
            await asyncio.sleep(IDLE_SECONDS)

    async def _send(self, parcel: Parcel) -> list[Reply]:
        replies: list[Reply] = []
        for at in range(0, len(parcel.recipients), MOST_RECIPIENTS):
            replies += await self._send_some(parcel, parcel.recipients[at : at + MOST_RECIPIENTS])
        return replies

    async def _send_some(self, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> list[Reply]:
        failure = ""
        now = time.monotonic()
        for line in sorted(self._lines, key=lambda one: one.aside > now):
            try:
                return await self._by(line, parcel, recipients)
            except Unreachable as error:
                failure = str(error)
                line.aside = time.monotonic() + ASIDE_SECONDS
                logger.warning("the relay %s cannot be used: %s", line.host.shown, failure)
        return [Reply(failure)] * len(recipients)

    async def _by(self, line: _Line, parcel: Parcel, recipients: Sequence[tuple[str, Parameters]]) -> list[Reply]:
        """Send by one server. A connection that has rested may have ended meanwhile: then by another one."""
        while True:
            conversation = await self._conversation(line)
            try:
                replies = await conversation.transact(parcel, recipients)
            except Unreachable:
                await conversation.end()
                if not conversation.has_rested:
                    raise
                continue
            except BaseException:
                conversation.cut()
                raise
            line.aside = 0.0
            self._rest(line, conversation)
            return replies

    async def _conversation(self, line: _Line, *, anew: bool = False) -> Conversation:
        """A connection at rest, or another. Raises Unreachable."""
        while line.idle and not anew:
            _, found = line.idle.pop()
            if found.is_alive:
                return found
        made = await Conversation.begin(line.host)
        line.offers = made.offers
        return made

    def _rest(self, line: _Line, conversation: Conversation) -> None:
        if conversation.is_alive:
            conversation.has_rested = True
            line.idle.append((time.monotonic(), conversation))
