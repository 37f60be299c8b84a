"""A clock that tests can stop, set and advance."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Clock:
    """Tells seconds since the epoch, as `time.time` does until told otherwise. Safe to use from any thread.

    `listen` has functions called (quick, never raising) whenever somebody moves the clock.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._real = now
        self._lock = threading.Lock()
        self._offset = 0.0
        self._frozen: float | None = None
        self._listeners: tuple[Callable[[], None], ...] = ()

    def __call__(self) -> float:
        """The time by this clock."""
        frozen = self._frozen
        return self._real() + self._offset if frozen is None else frozen

    @property
    def is_frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen is not None

    def freeze(self, at: float | None = None) -> float:
        """Stand still, at a time or now; answers the time."""
        with self._lock:
            self._frozen = self() if at is None else at
        return self._moved()

    def set(self, at: float) -> float:
        """Take another time, and go on or stand still as before; answers the time."""
        with self._lock:
            if self._frozen is None:
                self._offset = at - self._real()
            else:
                self._frozen = at
        return self._moved()

    def advance(self, seconds: float) -> float:
        """Move on (or back) by some seconds; answers the time."""
        return self.set(self() + seconds)

    def resume(self) -> float:
        """Go on from the time that it is by this clock; answers the time."""
        with self._lock:
            self._offset = self() - self._real()
            self._frozen = None
        return self._moved()

    def reset(self) -> float:
        """Tell the real time again; answers it."""
        with self._lock:
            self._offset, self._frozen = 0.0, None
        return self._moved()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called whenever the clock is moved."""
        self._listeners = (*self._listeners, listener)

    def _moved(self) -> float:
        for listener in self._listeners:
            listener()
        return self()
