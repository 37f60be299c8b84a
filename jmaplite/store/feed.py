"""The change feed within one process: whoever listens is called for each commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from jmaplite.store.port import Change

_log = logging.getLogger(__name__)


class LocalFeed:
    """Listeners of this process, called in the thread that announces."""

    def __init__(self) -> None:
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

    def announce(self, change: Change) -> None:
        """Tell every listener. A listener that raises is logged: the commit stands."""
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:
                _log.exception("a listener of the change feed failed for account %s", change.account_id)
