"""What can be measured of a server beside its requests, for its administrator."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from jmaplite.datatypes.submission import queue
from jmaplite.store import Change, Store, StoreError
from jmaplite.web import Family

SIZES_SECONDS = 60.0
"""How long the sizes of the files are good for: with many accounts it takes a while to look."""

QUEUE_COUNTED = 100_000
"""Messages of one account's queue that are counted; more are as many."""

_STARTED = time.time()


class Measures:
    """Measures the store in `path`, its queues and this process. Asked in a thread, for it takes time."""

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._lock = threading.Lock()
        self._commits = 0
        self._queues: dict[str, int] = {}
        self._changed: set[str] | None = None
        self._sizes: tuple[float, dict[str, int]] = (0.0, {})
        self._stop: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to count commits."""
        self._stop = self._store.feed.listen(self._heard)

    def stop(self) -> None:
        """Count no more."""
        self._stop()

    def families(self) -> Iterator[Family]:
        """Everything, as it is now; what cannot be measured at the moment is left out."""
        yield Family(
            "jmaplite_commits_total", "counter", "Commits of all processes that changed records.", [((), self._commits)]
        )
        with suppress(StoreError):
            accounts = [info.id for info in self._store.accounts()]
            yield Family("jmaplite_accounts", "gauge", "Accounts in the store.", [((), len(accounts))])
            waiting = self._waiting(accounts)
            yield Family("jmaplite_queue_messages", "gauge", "Messages that wait to be sent.", [((), waiting)])
        sizes = [((("part", part),), size) for part, size in self._octets().items()]
        yield Family("jmaplite_store_bytes", "gauge", "Octets of the files of the store.", sizes)
        yield from _process()

    def _heard(self, change: Change) -> None:
        with self._lock:
            self._commits += bool(change.types)
            # Without types it is not known what has changed, nor whether anything has.
            if (queue.TYPE in change.types or not change.types) and self._changed is not None:
                self._changed.add(change.account_id)

    def _waiting(self, accounts: list[str]) -> int:
        """Messages in all queues. Only those are looked into that have changed, once all were."""
        with self._lock:
            look = accounts if self._changed is None else [*self._changed]
            self._changed = set()
        for account_id in look:
            try:
                with self._store.account(account_id).read() as tx:
                    self._queues[account_id] = queue.length(tx, QUEUE_COUNTED)
            except StoreError:
                self._queues.pop(account_id, None)
        present = set(accounts)
        return sum(count for account_id, count in self._queues.items() if account_id in present)

    def _octets(self) -> dict[str, int]:
        taken, sizes = self._sizes
        if not sizes or time.monotonic() - taken >= SIZES_SECONDS:
            sizes = {"databases": 0, "blobs": 0}
            for folder, _, names in os.walk(self._path):
                for name in names:
                    with suppress(OSError):
                        part = "databases" if ".sqlite" in name else "blobs"
                        sizes[part] += (Path(folder) / name).stat().st_size
            self._sizes = (time.monotonic(), sizes)
        return sizes


def _process() -> Iterator[Family]:
    """This process, under the names that Prometheus's own clients use."""
    cpu = time.process_time()
    yield Family("process_cpu_seconds_total", "counter", "Processor time, user and system.", [((), cpu)])
    yield Family("process_start_time_seconds", "gauge", "When the process began to serve.", [((), round(_STARTED, 3))])
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        yield Family("process_resident_memory_bytes", "gauge", "Resident memory.", [((), size)])
    with suppress(OSError):
        count = sum(1 for _ in Path("/proc/self/fd").iterdir())
        yield Family("process_open_fds", "gauge", "Open files and sockets.", [((), count)])
