"""Work that nobody should wait for, done by a thread that lives only while there is some."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from jmaplite.store.port import StoreUnavailable

_log = logging.getLogger(__name__)


class Housekeeper:
    """Runs jobs one after another in a thread of its own; a job that raises is logged."""

    def __init__(self) -> None:
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, job: Callable[[], None]) -> None:
        """Have a job done soon. One that is waiting already is not done twice; after `close` none is done."""
        with self._lock:
            if self._closed or job in self._jobs:
                return
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="store-housekeeper")
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is going down
                    self._thread = None

    def settle(self) -> None:
        """Wait until every job at hand is done."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def close(self) -> None:
        """Finish the job under way, drop the others, take no more."""
        with self._lock:
            self._closed = True
            self._jobs.clear()
        self.settle()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            try:
                job()
            except StoreUnavailable as error:
                _log.warning("housekeeping of the store is put off: %s", error)
            except Exception:
                _log.exception("housekeeping of the store failed")
