"""Sends to push subscriptions (RFC 8620 §7.2, RFC 8030): listens to changes, posts, and notes what came of it.

It has a thread of its own with an event loop for the network, and a few more for work on data. What it knows about a
subscription stands in the store: it may be stopped and made anew at any time, with other settings, and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jmaplite.directory import DirectoryUnavailable
from jmaplite.push.client import Answer, Client, Refused, Unreachable
from jmaplite.push.desk import Desk, Message, Visit
from jmaplite.push.outcome import Outcome, outcome
from jmaplite.push.progress import TYPE
from jmaplite.store import Change, Feed, StoreError, UnknownAccount

logger = logging.getLogger(__name__)

ROUND_SECONDS = 300.0
"""How often every account is looked at: announcements of changes are hints, and the store is the truth."""

TROUBLE_SECONDS = 60.0
"""How long after a failure of store or directory an account is looked at again."""

AT_ONCE = 64
AT_ONCE_TO_A_HOST = 16
AT_ONCE_FOR_A_USER = 4
"""How many requests are under way: of all, to one host, for one user. Others wait, in the order in which they came."""

VISITS = 2
"""How many threads work on data."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a sender works with. `glance` is how often it looks at the clock while it waits for a time, in seconds."""

    desk: Desk
    client: Client
    glance: float = 1.0

    async def post(self, message: Message) -> Answer:
        """Post a message. Raises Refused, Unreachable."""
        return await self.client.post(message.url, message.headers, message.body)


class WebPush:
    """The sender. Without equipment it does nothing; `clock` answers seconds since the epoch."""

    def __init__(self, feed: Feed, clock: Callable[[], float], equipment: Equipment | None) -> None:
        self._feed = feed
        self._clock = clock
        self._equipment = equipment
        self._owners: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._round: deque[str] = deque()
        self._watched: dict[str, frozenset[str]] = {}
        self._watchers: dict[str, frozenset[str]] = {}
        self._deaf: set[str] = set()
        self._visiting: set[str] = set()
        self._busy: dict[str, set[int]] = {}
        self._turns: dict[str, _Turn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._beginning = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="web-push", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Begin, with what was left from before. Nothing happens once it was told to end."""
        with self._beginning:
            if self._stopped:
                return
            self._thread.start()
        self._ready.wait()

    def change(self, equipment: Equipment | None) -> None:
        """Go on with other equipment; what is under way ends with that with which it began."""
        self._equipment = equipment
        self.wake()

    def stop(self) -> None:
        """End; what is under way is broken off, and done again by whoever comes next."""
        with self._beginning:
            self._stopped = True
        if self._thread.is_alive():
            self._ready.wait()
            with suppress(RuntimeError):  # it has ended by itself
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._awake.set)
            self._thread.join()

    def wake(self) -> None:
        """Look at every account again: the clock was set, or the directory has changed."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._look_at_all)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._awake = asyncio.Event()
        self._all = asyncio.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(VISITS, thread_name_prefix="web-push-data")
        self._next_round = time.monotonic()
        stop_listening = self._feed.listen(self._heard)
        self._ready.set()
        try:
            while not self._stopped:
                await self._pass()
        except Exception:
            logger.exception("web push has stopped")
        finally:
            stop_listening()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._threads.shutdown(wait=True, cancel_futures=True)

    def _look_at_all(self) -> None:
        self._next_round = time.monotonic()
        self._awake.set()

    async def _pass(self) -> None:
        """Begin whatever is due, then wait for what comes next."""
        self._awake.clear()
        equipment = self._equipment
        if equipment is None:
            self._due.clear()
            self._round.clear()
            self._watchers = {}
            self._watched.clear()
            await self._awake.wait()
            return
        if time.monotonic() >= self._next_round:
            self._next_round = time.monotonic() + ROUND_SECONDS
            await self._begin_round(equipment.desk)
        now = self._clock()
        for account_id in [one for one, when in self._due.items() if when <= now and one not in self._visiting]:
            if len(self._visiting) >= VISITS:
                break
            del self._due[account_id]
            self._begin_visit(account_id, equipment)
        while self._round and len(self._visiting) < VISITS:
            account_id = self._round.popleft()
            if account_id not in self._visiting:
                self._begin_visit(account_id, equipment)
        wait = self._next_round - time.monotonic()
        if self._due and len(self._visiting) < VISITS:
            next_due = min((when for one, when in self._due.items() if one not in self._visiting), default=now + wait)
            wait = min(wait, max(next_due - now, 0.0), equipment.glance)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), max(wait, 0.0))

    async def _begin_round(self, desk: Desk) -> None:
        """Have every account looked at, after those of which something is known to be due."""
        try:
            self._owners = await self._in_thread(desk.owners)
        except StoreError as error:
            logger.warning("push subscriptions cannot be read now: %s", error)
            self._next_round = time.monotonic() + TROUBLE_SECONDS
            return
        self._round = deque(self._owners)

    def _begin_visit(self, account_id: str, equipment: Equipment) -> None:
        self._visiting.add(account_id)
        self._deaf.discard(account_id)
        self._begin(self._visit(account_id, equipment))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _come_by(self, account_id: str, when: float) -> None:
        """Have an account looked at, at a time or earlier."""
        self._due[account_id] = min(when, self._due.get(account_id, when))
        self._awake.set()

    def _heard(self, change: Change) -> None:
        """A commit, told in any thread: most concern nobody here."""
        if TYPE in change.types or change.account_id in self._watchers:
            with suppress(RuntimeError):  # the loop has ended
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._note, change.account_id, TYPE in change.types)

    def _note(self, account_id: str, is_subscription: bool) -> None:
        now = self._clock()
        if is_subscription:
            self._deaf.discard(account_id)
            self._come_by(account_id, now)
        for owner in self._watchers.get(account_id, ()):
            if owner not in self._deaf:
                self._come_by(owner, now)

    async def _visit(self, account_id: str, equipment: Equipment) -> None:
        """Look what there is for the devices of an account's owner, and send it."""
        try:
            if account_id not in self._owners:
                self._owners = await self._in_thread(equipment.desk.owners)
            owner = self._owners.get(account_id)
            if owner is None:
                self._watch(account_id, Visit())
                return
            busy = frozenset(self._busy.get(account_id, ()))
            visit: Visit = await self._in_thread(equipment.desk.visit, account_id, owner, busy)
            self._act(account_id, visit, equipment)
        except UnknownAccount:
            self._owners.pop(account_id, None)
            self._watch(account_id, Visit())
        except (StoreError, DirectoryUnavailable) as error:
            logger.warning("the push subscriptions of account %s have to wait: %s", account_id, error)
            self._come_by(account_id, self._clock() + TROUBLE_SECONDS)
        except Exception:
            logger.exception("the push subscriptions of account %s have to wait", account_id)
            self._come_by(account_id, self._clock() + ROUND_SECONDS)
        finally:
            self._visiting.discard(account_id)
            self._awake.set()

    def _act(self, account_id: str, visit: Visit, equipment: Equipment) -> None:
        if not visit.watched <= self._watched.get(account_id, frozenset()):
            # What was committed since it was read, where nobody listened yet, is found by looking once more.
            self._come_by(account_id, self._clock())
        self._watch(account_id, visit)
        for message in visit.messages:
            self._busy.setdefault(account_id, set()).add(message.number)
            self._begin(self._send(message, equipment))
        if visit.again is not None:
            self._come_by(account_id, visit.again)

    def _watch(self, account_id: str, visit: Visit) -> None:
        """Know whose changes matter to the owner of an account, and whether they matter now."""
        if visit.listens:
            self._deaf.discard(account_id)
        else:
            self._deaf.add(account_id)
        if visit.watched == self._watched.get(account_id, frozenset()):
            return
        self._watched[account_id] = visit.watched
        if not visit.watched:
            del self._watched[account_id]
        watchers: dict[str, set[str]] = {}
        for owner, watched in self._watched.items():
            for one in watched:
                watchers.setdefault(one, set()).add(owner)
        self._watchers = {one: frozenset(owners) for one, owners in watchers.items()}

    async def _send(self, message: Message, equipment: Equipment) -> None:
        """Post a message when its turn has come, and note what came of it."""
        wait = 0.0
        host = (urlsplit(message.url).hostname or "").lower()
        user_turn = self._turn(f"user {message.account_id}", AT_ONCE_FOR_A_USER)
        host_turn = self._turn(f"host {host}", AT_ONCE_TO_A_HOST)
        try:
            async with user_turn, host_turn, self._all:
                came_of_it = await self._post(message, equipment)
            await self._in_thread(equipment.desk.settle, message, came_of_it)
        except UnknownAccount:
            pass
        except StoreError as error:
            logger.warning("what came of a web push of account %s cannot be noted: %s", message.account_id, error)
            wait = TROUBLE_SECONDS  # or it would be sent again at once, and again
        finally:
            busy = self._busy[message.account_id]
            busy.discard(message.number)
            if not busy:
                del self._busy[message.account_id]
            self._deaf.discard(message.account_id)
            self._come_by(message.account_id, self._clock() + wait)

    async def _post(self, message: Message, equipment: Equipment) -> Outcome:
        if self._clock() >= message.expires:  # while it waited for its turn (RFC 8620 §7.2)
            return Outcome("never", "the subscription has ended")
        try:
            answer = await equipment.post(message)
        except Refused as error:
            return Outcome("never", str(error))
        except Unreachable as error:
            return Outcome("again", str(error))
        except Exception:
            logger.exception("a web push of account %s failed", message.account_id)
            return Outcome("again", "an unexpected error")
        return outcome(answer, self._clock())

    @asynccontextmanager
    async def _turn(self, name: str, most: int) -> AsyncIterator[None]:
        """One of the requests that there may be at a time under a name."""
        turn = self._turns.setdefault(name, _Turn(most))
        turn.wanted += 1
        try:
            async with turn.slots:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[name]


class _Turn:
    """So many at a time, and how many want to or do."""

    def __init__(self, most: int) -> None:
        self.slots = asyncio.Semaphore(most)
        self.wanted = 0
