"""Connections to a directory elsewhere, kept for the next who asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from jmaplite.directory.port import DirectoryUnavailable

C = TypeVar("C")
T = TypeVar("T")

LONGEST_REST = 5.0
"""Seconds for which a directory that took long to fail is not asked again, at most."""


class Disconnected(Exception):
    """A connection has turned out to be of no use any more; the only argument says why."""


class Pool(Generic[C]):
    """At most `size` connections, each used by one thread at a time; safe to use from any thread.

    `connect` makes one, or raises Disconnected; `wait` is how many seconds one may wait for one to come free, `recycle`
    how many a connection is kept.
    """

    def __init__(
        self,
        connect: Callable[[], C],
        close: Callable[[C], object],
        *,
        size: int = 10,
        wait: float = 30.0,
        recycle: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._close = close
        self._free = threading.BoundedSemaphore(size)
        self._wait = wait
        self._recycle = recycle
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: list[tuple[float, C]] = []
        self._resting = (0.0, "")

    def use(self, work: Callable[[C], T]) -> T:
        """What `work` makes of a connection. It raises Disconnected for one that is lost.

        A kept connection that is lost is made anew once: the directory may have been restarted. Raises
        DirectoryUnavailable.
        """
        if not self._free.acquire(timeout=self._wait):
            raise DirectoryUnavailable(f"all connections are in use for longer than {self._wait:g} seconds")
        try:
            kept = self._kept()
            if kept is not None:
                try:
                    return self._used(*kept, work)
                except Disconnected:
                    self.close()
            try:
                return self._used(self._clock(), self._new(), work)
            except Disconnected as error:
                raise DirectoryUnavailable(str(error)) from None
        finally:
            self._free.release()

    def close(self) -> None:
        """Let go of every connection that is not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            self._close(connection)

    def _used(self, since: float, connection: C, work: Callable[[C], T]) -> T:
        try:
            made = work(connection)
        except BaseException:
            self._close(connection)
            raise
        with self._lock:
            self._idle.append((since, connection))
        return made

    def _kept(self) -> tuple[float, C] | None:
        """The connection used last, if it is not too old."""
        oldest = self._clock() - self._recycle
        with self._lock:
            old = [one for since, one in self._idle if since < oldest]
            self._idle = [pair for pair in self._idle if pair[0] >= oldest]
            kept = self._idle.pop() if self._idle else None
        for connection in old:
            self._close(connection)
        return kept

    def _new(self) -> C:
        """A new connection. Where making one took long in vain, the others do not wait as long. Raises Disconnected."""
        began = self._clock()
        until, reason = self._resting
        if began < until:
            raise Disconnected(reason)
        try:
            return self._connect()
        except Disconnected as error:
            now = self._clock()
            self._resting = (now + min(now - began, LONGEST_REST), str(error))
            raise
