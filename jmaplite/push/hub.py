"""Where commits meet those who wait for them.

The announcements of the change feed come from any thread and are hints: that an account may have changed. What is told
is read from the store, after listening began; and in each round of a patrol, so that an announcement that was lost is
made good. A commit to an account that nobody watches costs a look into a dictionary, an idle watcher nothing at all.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager

from jmaplite.directory import DirectoryUnavailable, Principal
from jmaplite.push.news import changes
from jmaplite.push.states import View
from jmaplite.push.watcher import Ended, Watcher
from jmaplite.store import Change, Store, StoreError, StoreUnavailable, UnknownAccount

logger = logging.getLogger(__name__)

Visible = Callable[[Principal], View | None]
"""What a principal sees now, or None if it, or what it logged in with, is no more. Raises what a store
and a directory raise."""

MOST_PER_USER = 1000
"""Watchers that one user may have at the same time."""

PATROL_SECONDS = 300.0
"""How often it is looked whether users are still there and see the same accounts, and whether a change was missed."""

RETRY_SECONDS = 1.0
"""After which an account that could not be read is read again."""

BATCH = 64
"""Accounts that are read, and users that are looked up, at a time."""

LOOKERS = 16
"""Watchers that look at what was read, at a time."""

UNKNOWN = sys.maxsize
"""Instead of the lowest value of what has changed, where an announcement tells none."""


class TooMany(Exception):
    """The user has as many watchers as one may have."""


class Watched:
    """An account that is watched, with its types' change values as they were last read, and the highest of them.

    `values` are None if it could not be read. Of the watchers `beginners` have not looked at it yet.
    """

    __slots__ = ("_news", "beginners", "stirred_at", "top", "values", "watchers")

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self.beginners: set[Watcher] = set()
        self.values: Mapping[str, int] | None = None
        self.top = 0
        self.stirred_at = -1
        self._news: dict[tuple[frozenset[str], int], Mapping[str, str]] = {}

    def take(self, values: Mapping[str, int] | None) -> None:
        """Take up what was read."""
        self.values = values
        self.top = max(values.values(), default=0) if values else 0
        self._news.clear()

    def news(self, epoch: str, types: frozenset[str], mark: int) -> Mapping[str, str]:
        """The states that are above a mark: most who watch know and want the same, so it is worked out once."""
        if self.values is None:
            return {}
        found = self._news.get((types, mark))
        if found is None:
            found = self._news[types, mark] = changes(epoch, self.values, types, mark)
        return found


class Hub:
    """Tells watchers what has changed in a store. It lives in the event loop in which it is started."""

    kind_of_watcher: type[Watcher] = Watcher
    """What watchers are made of."""

    def __init__(self, store: Store, visible: Visible) -> None:
        self._store = store
        self._visible = visible
        self.serial = 0
        """The number of the last job that reads accounts. What happened before one began, it has seen."""
        self._accounts: dict[str, Watched] = {}
        self._users: dict[tuple[str, str], set[Watcher]] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._announced: dict[str, int] = {}
        self._wanted: dict[str, None] = {}
        self._is_reading = False
        self._patrolled: list[Principal] = []
        self._patrol_timer: asyncio.TimerHandle | None = None
        self._is_patrolling = False
        self._has_ended = False
        self._stop_listening: Callable[[], None] | None = None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="push")
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._stop_listening = self._store.feed.listen(self._heard)

    def end(self) -> None:
        """End every watcher, and let no more in: the server stops."""
        self._has_ended = True
        self.dismiss()

    def dismiss(self) -> None:
        """End every watcher; others may come."""
        for watchers in self._users.values():
            for watcher in watchers:
                watcher.end(gone=False)

    async def close(self) -> None:
        """Let go of everything."""
        self.end()
        if self._stop_listening is not None:
            self._stop_listening()
        if self._patrol_timer is not None:
            self._patrol_timer.cancel()
        await asyncio.to_thread(self._threads.shutdown)

    def renew(self, visible: Visible) -> None:
        """Look anew who is there and who sees what, and go by this from now on: the directory is another one."""
        self._visible = visible
        if self._users:
            self._patrol()

    def watch(self, principal: Principal, view: View, throttle: float) -> Watcher:
        """Let in a client that is told of changes once in `throttle` seconds. Raises TooMany, Ended."""
        if self._has_ended:
            raise Ended(gone=False)
        if self._counts[principal.name] >= MOST_PER_USER:
            raise TooMany
        self._counts[principal.name] += 1
        watcher = self.kind_of_watcher(self, principal, view, throttle)
        self._users.setdefault((principal.name, principal.credential), set()).add(watcher)
        if self._patrol_timer is None and not self._is_patrolling:
            self._patrol_timer = self._loop.call_later(PATROL_SECONDS, self._patrol)
        return watcher

    # What follows is for watchers.

    @property
    def epoch(self) -> str:
        """The epoch of the store."""
        return self._store.epoch

    def now(self) -> float:
        """The time of the event loop, in seconds."""
        return self._loop.time()

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after some time."""
        return self._loop.call_later(seconds, call)

    def patience(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """Within it, TimeoutError is raised when so many seconds have passed (None: never)."""
        return asyncio.timeout(seconds)

    def forget(self, watcher: Watcher) -> None:
        """Let go of a watcher."""
        key = (watcher.principal.name, watcher.principal.credential)
        watchers = self._users.get(key, set())
        if watcher not in watchers:
            return
        watchers.discard(watcher)
        if not watchers:
            del self._users[key]
        self._counts[key[0]] -= 1
        if not self._counts[key[0]]:
            del self._counts[key[0]]

    def listen(self, watcher: Watcher) -> None:
        """Stir a watcher from now on when one of its accounts may have changed."""
        for account_id in watcher.accounts:
            watched = self._accounts.get(account_id)
            if watched is None:
                watched = self._accounts[account_id] = Watched()
            watched.watchers.add(watcher)
            watched.beginners.add(watcher)

    def deafen(self, watcher: Watcher) -> bool:
        """Stir a watcher no more; answers whether it was listening."""
        was_listening = False
        for account_id in watcher.accounts:
            watched = self._accounts.get(account_id)
            if watched is not None and watcher in watched.watchers:
                was_listening = True
                watched.watchers.discard(watcher)
                watched.beginners.discard(watcher)
                if not watched.watchers:
                    del self._accounts[account_id]
        return was_listening

    def watched(self, account_id: str) -> Watched:
        """An account that somebody listens to."""
        return self._accounts[account_id]

    def read(self, account_id: str) -> None:
        """Have an account read; its watchers look at it then."""
        if not self._wanted and not self._is_reading:
            self._loop.call_soon(self._read_some)
        self._wanted[account_id] = None

    # What follows hears of changes, and reads.

    def _heard(self, change: Change) -> None:
        """A commit was announced, in any thread."""
        if change.account_id not in self._accounts:
            return
        with self._lock:
            is_first = not self._announced
            values = (self._announced.get(change.account_id, UNKNOWN), *change.types.values())
            self._announced[change.account_id] = min(values)
        if is_first:
            self._loop.call_soon_threadsafe(self._stir)

    def _stir(self) -> None:
        with self._lock:
            announced, self._announced = self._announced, {}
        for account_id, value in announced.items():
            self._stir_one(account_id)
            if account_id in self._accounts:
                for watcher in self._accounts[account_id].beginners:
                    watcher.hear(account_id, value)

    def _stir_one(self, account_id: str) -> None:
        watched = self._accounts.get(account_id)
        if watched is None or watched.stirred_at == self.serial:
            return  # all have been stirred, and nothing was read since
        watched.stirred_at = self.serial
        for watcher in watched.watchers:
            watcher.stir(account_id)

    def _read_some(self) -> None:
        """Begin a job, unless one is under way: it begins the next when it is done."""
        if self._is_reading or not self._wanted or self._has_ended:
            return
        some = list(self._wanted)[:BATCH]
        for account_id in some:
            del self._wanted[account_id]
        self._is_reading = True
        self.serial += 1
        self._loop.run_in_executor(self._threads, _states, self._store, some).add_done_callback(self._were_read)

    def _were_read(self, job: asyncio.Future[dict[str, Mapping[str, int] | None]]) -> None:
        looking: list[tuple[Watcher, str]] = []
        for account_id, values in job.result().items():
            watched = self._accounts.get(account_id)
            if watched is None:
                continue
            if values is None:
                self._loop.call_later(RETRY_SECONDS, self._stir_one, account_id)
            watched.take(values)
            looking += ((watcher, account_id) for watcher in watched.watchers)
        self._show(looking)

    def _show(self, looking: list[tuple[Watcher, str]]) -> None:
        """Have watchers look, some at a time: the first are told before the last have looked. Then the job is done."""
        try:
            for watcher, account_id in looking[:LOOKERS]:
                watcher.look(account_id, self.serial)
        finally:
            if len(looking) > LOOKERS:
                self._loop.call_soon(self._show, looking[LOOKERS:])
            else:
                self._is_reading = False
                self._read_some()

    def _patrol(self) -> None:
        """Begin a round, or begin it anew."""
        if self._patrol_timer is not None:
            self._patrol_timer.cancel()
            self._patrol_timer = None
        self._patrolled = [next(iter(watchers)).principal for watchers in self._users.values()]
        if not self._is_patrolling:
            self._is_patrolling = True
            self._patrol_some()

    def _patrol_some(self) -> None:
        if self._has_ended:
            return
        some, self._patrolled = self._patrolled[:BATCH], self._patrolled[BATCH:]
        if some:
            job = self._loop.run_in_executor(self._threads, _views, self._visible, some)
            job.add_done_callback(self._were_looked_up)
            return
        self._is_patrolling = False
        for account_id in tuple(self._accounts):
            self._stir_one(account_id)
        if self._users:
            self._patrol_timer = self._loop.call_later(PATROL_SECONDS, self._patrol)

    def _were_looked_up(self, job: asyncio.Future[list[tuple[Principal, View | None]]]) -> None:
        for principal, view in job.result():
            for watcher in tuple(self._users.get((principal.name, principal.credential), ())):
                if view is None:
                    watcher.end(gone=True)
                else:
                    watcher.see(view)
        self._patrol_some()


def _states(store: Store, account_ids: list[str]) -> dict[str, Mapping[str, int] | None]:
    """The change values of the types of accounts; None for one that cannot be read now. Runs in a thread."""
    found: dict[str, Mapping[str, int] | None] = {}
    for account_id in account_ids:
        try:
            with store.account(account_id).read() as tx:
                found[account_id] = tx.states()
        except UnknownAccount:
            found[account_id] = {}
        except StoreError:
            found[account_id] = None
        except Exception:
            logger.exception("the states of account %s cannot be read", account_id)
            found[account_id] = None
    return found


def _views(visible: Visible, principals: list[Principal]) -> list[tuple[Principal, View | None]]:
    """What principals see now, but for those of whom that cannot be told now. Runs in a thread."""
    found = []
    for principal in principals:
        try:
            found.append((principal, visible(principal)))
        except (StoreUnavailable, DirectoryUnavailable):
            continue
        except Exception:
            logger.exception("it cannot be told what %s sees", principal.name)
    return found
