"""One client that wants to know: what it has been told, and what it is to be told next."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from jmaplite.directory import Principal
from jmaplite.push.news import News, format_state, parse_state
from jmaplite.push.states import View

if TYPE_CHECKING:
    from jmaplite.push.hub import Hub, Watched

NOTHING_TOLD = -1
"""The mark of an account of which a client knows no state at all: every type is news."""


class Ended(Exception):
    """There will be no more news. `gone`: since the user may not see them any more, and not since the server stops."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__("the user has gone" if gone else "the server stops")
        self.gone = gone


class Watcher:
    """One client of a hub, in the hub's event loop; leave it to let go of it.

    At first it is told nothing: `want` says of what. An account that was stirred is read again when there is somebody
    to be told and the throttle allows it: what a slow client has missed comes to it as the last state alone.
    """

    __slots__ = (
        "_announced", "_begins_now", "_born", "_epoch", "_hub", "_is_gone", "_marks", "_not_before", "_ready",
        "_stirred", "_throttle", "_timer", "_types", "_unseen", "_view", "_waiter", "principal",
    )  # fmt: skip

    def __init__(self, hub: Hub, principal: Principal, view: View, throttle: float) -> None:
        self.principal = principal
        self._hub = hub
        self._view = view
        self._throttle = throttle
        self._types: frozenset[str] | None = None
        self._epoch = ""
        self._marks: dict[str, int] = {}
        self._stirred: dict[str, int] = {}
        self._ready: tuple[str, ...] = ()
        self._unseen: set[str] | None = None
        self._announced: dict[str, int] = {}
        self._begins_now = False
        self._born = 0
        self._not_before = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_gone: bool | None = None

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.want_nothing()
        self._hub.forget(self)

    @property
    def accounts(self) -> Iterable[str]:
        """The accounts that the user sees."""
        return self._view

    def want(self, types: Collection[str] | None, since: str | None = None) -> None:
        """Be told of changes of these types (None: all), from now on, or from what a News had as its state.

        The first news come at once, even if nothing has changed: no change is missed that comes after them. Whoever is
        being told already is told on, of what waits for the end of the throttle too.
        """
        goes_on = self._hub.deafen(self) and self._unseen is None and since is None
        self.want_nothing()
        self._types = None if types is None else frozenset(types)
        if not goes_on:
            self._epoch = self._hub.epoch
            told = {} if since is None else parse_state(self._epoch, since, len(self._view))
            self._marks = {account_id: mark for account_id, mark in told.items() if account_id in self._view}
        self._begins_now = since is None and not goes_on
        self._announced = {}
        self._unseen = set(self._view)
        self._born = self._hub.serial
        self._stirred = dict.fromkeys(self._view, self._born)
        self._not_before = 0.0
        self._hub.listen(self)
        self._advance()

    def want_nothing(self) -> None:
        """Be told nothing, until `want` is called again."""
        self._hub.deafen(self)
        self._stirred.clear()
        self._ready = ()
        self._unseen = None

    async def next(self) -> News:
        """The next news, as soon as there are any and the throttle allows it. Raises Ended."""
        # Who waits is only woken: what it is told is what is known when it has come back, so that nothing is lost if
        # it is called away at the same time.
        while not self._may_tell():
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                self._advance()
                await self._waiter
            finally:
                self._waiter = None
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
        return self._tell()

    def end(self, *, gone: bool) -> None:
        """There will be no more news."""
        self._is_gone = gone
        self._wake()

    def see(self, view: View) -> None:
        """The user sees other accounts now: one that is new to the client is news as a whole."""
        if view == self._view:
            return
        is_listening = self._hub.deafen(self)
        self._view = view
        for known in (self._marks, self._stirred):
            for account_id in known.keys() - view.keys():
                del known[account_id]
        self._ready = tuple(account_id for account_id in self._ready if account_id in view)
        if self._unseen is not None:
            self._unseen &= view.keys()
        if is_listening:
            self._hub.listen(self)
            for account_id in view:
                self.stir(account_id)

    def stir(self, account_id: str) -> None:
        """An account may have changed."""
        self._stirred[account_id] = self._hub.serial
        self._advance()

    def hear(self, account_id: str, value: int) -> None:
        """Changes from a value on were announced before the account was looked at: they are told as well."""
        if self._unseen is not None and account_id in self._unseen:
            self._announced[account_id] = min(value, self._announced.get(account_id, value))

    def look(self, account_id: str, serial: int) -> None:
        """The hub has read an account, or tried to, in its job of this number."""
        stirred = self._stirred.get(account_id)
        if stirred is None or serial <= self._born:
            return
        if stirred < serial:
            del self._stirred[account_id]
        watched = self._hub.watched(account_id)
        if self._epoch != self._hub.epoch:
            self._marks, self._epoch = {}, self._hub.epoch
        watched.beginners.discard(self)
        if self._unseen is not None and account_id in self._unseen:
            self._unseen.discard(account_id)
            if self._begins_now and watched.values is not None:
                # What has changed since it was asked for may be among what was read.
                self._marks[account_id] = min(watched.top, self._announced.pop(account_id, watched.top + 1) - 1)
        if account_id not in self._ready:
            if self._news(account_id, watched):
                self._ready = (*self._ready, account_id)
            elif watched.values is not None:
                self._marks[account_id] = watched.top
        self._advance()

    def _news(self, account_id: str, watched: Watched) -> Mapping[str, str]:
        """The states of an account that the client has not been told."""
        mark = self._marks.get(account_id, NOTHING_TOLD)
        if mark > watched.top:
            mark = NOTHING_TOLD  # it is told a history that never was: from a copy, or from nowhere
        types = self._view[account_id]
        return watched.news(self._epoch, types if self._types is None else types & self._types, mark)

    def _may_tell(self) -> bool:
        """Whether there are news, and it is time for them. Raises Ended."""
        if self._is_gone is not None:
            raise Ended(gone=self._is_gone)
        if self._unseen is not None:
            return not self._unseen
        return bool(self._ready) and self._hub.now() >= self._not_before

    def _advance(self) -> None:
        """Do what can be done now for who waits: wake it, have accounts read, or wait for the end of the throttle."""
        if self._waiter is None:
            return
        left = self._not_before - self._hub.now()
        if self._unseen is None and left > 0:
            if self._timer is None and (self._ready or self._stirred):
                self._timer = self._hub.later(left, self._due)
        elif self._ready if self._unseen is None else not self._unseen:
            self._wake()
        else:
            for account_id in self._stirred:
                self._hub.read(account_id)

    def _due(self) -> None:
        self._timer = None
        self._advance()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _tell(self) -> News:
        """What is ready, in its last state."""
        changed = {}
        for account_id in self._ready:
            watched = self._hub.watched(account_id)
            news = self._news(account_id, watched)
            if news:
                changed[account_id] = news
                self._marks[account_id] = watched.top
        self._ready = ()
        self._unseen = None
        if changed:
            self._not_before = self._hub.now() + self._throttle
        return News(changed, format_state(self._epoch, self._marks))
