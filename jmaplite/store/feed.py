"""The change feed: whoever listens is called for each commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from jmaplite.store.port import Change

_log = logging.getLogger(__name__)


class LocalFeed:
    """Listeners of this process, called in the thread that announces.

    `elsewhere` is called for what this process has committed itself: that others are to know of it.
    """

    def __init__(self) -> None:
        self.elsewhere: Callable[[Change], None] | None = None
        self._listeners: tuple[Callable[[Change], None], ...] = ()
        self._lock = threading.Lock()

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` for each commit from now on; answers how to stop, harmless when repeated."""

        def heard(change: Change) -> None:
            listener(change)

        def stop() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not heard)

        with self._lock:
            self._listeners = (*self._listeners, heard)
        return stop

    def committed(self, change: Change) -> None:
        """Tell every listener of a commit of this process, here and elsewhere."""
        if self.elsewhere is not None:
            self.elsewhere(change)
        self.announce(change)

    def announce(self, change: Change) -> None:
        """Tell every listener. A listener that raises is logged: the commit stands."""
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:
                _log.exception("a listener of the change feed failed for account %s", change.account_id)
