"""The worker of queues: it visits an account when something there is due, when it hears of it, and now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from jmaplite.core.context import Services
from jmaplite.datatypes.submission import queue
from jmaplite.store import Change, UnknownAccount

logger = logging.getLogger(__name__)

ROUND_SECONDS = 300.0
"""How often all queues are looked at: announcements of changes are hints, and the store is the truth."""

GLANCE_SECONDS = 1.0
"""How long the worker sleeps at most, for clocks may be set."""

AGAIN_SECONDS = 60
"""How long an account is left alone after a visit that failed."""


class Rounds:
    """Visits accounts in a thread, or some at once. `visit` answers when the next is due (in seconds), if at all."""

    def __init__(
        self, name: str, services: Callable[[], Services], visit: Callable[[str], float | None], at_once: int = 1
    ) -> None:
        self._name = name
        self._services = services
        self._visit_one = visit
        self._visits: dict[str, float] = {}
        self._under_way = set[str]()
        self._pool = ThreadPoolExecutor(at_once, name) if at_once > 1 else None
        self._changed = threading.Condition()
        self._is_over = False
        self._stop_listening: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, with what was left from before."""
        self._stop_listening = self._services().store.feed.listen(self._heard)
        self._thread.start()

    def end(self) -> None:
        """Visit nobody any more; a visit that goes on is to end soon."""
        self._stop_listening()
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def is_over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self._is_over

    def join(self) -> None:
        """Wait until the last visit has ended."""
        if self._thread.is_alive():
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def wake(self, *account_ids: str) -> None:
        """Visit accounts now."""
        with self._changed:
            self._visits.update(dict.fromkeys(account_ids, 0.0))
            self._changed.notify()

    def _heard(self, change: Change) -> None:
        if not change.types or queue.TYPE in change.types or queue.AUTOMATIC in change.types:
            self.wake(change.account_id)

    def _run(self) -> None:
        next_round = time.monotonic()
        while not self._is_over:
            if time.monotonic() >= next_round:
                next_round = time.monotonic() + ROUND_SECONDS
                self._guarded(self._wake_all)
            for account_id in self._wait():
                visit = partial(self._guarded, partial(self._visit, account_id))
                if self._pool is None:
                    visit()
                else:
                    self._pool.submit(visit)

    def _wake_all(self) -> None:
        self.wake(*(info.id for info in self._services().store.accounts()))

    def _wait(self) -> list[str]:
        """The accounts to visit now; sleeps while there are none, but not for long."""
        with self._changed:
            if not self._is_over and not self._ready():
                now = self._services().clock()
                waiting = [when for one, when in self._visits.items() if one not in self._under_way]
                first = min(waiting, default=now + GLANCE_SECONDS)
                self._changed.wait(min(max(first - now, 0.0), GLANCE_SECONDS))
            ready = [] if self._is_over else self._ready()
            for account_id in ready:
                del self._visits[account_id]
            self._under_way.update(ready)
        return ready

    def _ready(self) -> list[str]:
        now = self._services().clock()
        return [one for one, when in self._visits.items() if when <= now and one not in self._under_way]

    def _visit(self, account_id: str) -> None:
        when: float | None = self._services().clock() + AGAIN_SECONDS
        try:
            when = self._visit_one(account_id)
        except UnknownAccount:
            when = None
        finally:
            with self._changed:
                self._under_way.discard(account_id)
                if when is not None:
                    self._visits.setdefault(account_id, when)
                self._changed.notify()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            logger.exception("the %s failed; it goes on later", self._name)
