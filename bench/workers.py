"""How long it takes from a commit in one process until another one knows: `python -m bench --workers`.

`feed` is a listener of the change feed in a process that shares the store with the one that commits, from the end of
the commit. `other` is a stream of events at one worker of a server, from before the request that makes a change is sent
to another worker until the event has come; `same` is the same with both at one worker.
"""

from __future__ import annotations

import base64
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from bench.client import Client
from jmaplite.store import Change, Schema
from jmaplite.store.sqlite import SQLiteStore


def configured(config: str) -> str:
    """A configuration with two workers."""
    return config.replace("[server]\n", "[server]\nworkers = 2\n", 1) + '[jmap.event-source]\nthrottle = "0s"\n'


_STREAM = "/jmap/eventsource/?types=*&closeafter=no&ping=0"

_COMMITS = """
import sys, time
from pathlib import Path
from jmaplite.store import Schema
from jmaplite.store.sqlite import SQLiteStore
store = SQLiteStore(Path(sys.argv[1]), Schema(()))
store.join()
account = store.account(sys.argv[2])
account.write(lambda tx: tx.change("Email"))
for _ in sys.stdin:
    account.write(lambda tx: tx.change("Email"))
    print(time.monotonic(), flush=True)
store.close()
"""


def measure(url: str, pid: int, rounds: int) -> None:
    """Print a line for each."""
    print(f"{'':>8} {'median ms':>9} {'95 % ms':>9}")
    shown("feed", feed(rounds))
    for name, times in streams(url, pid, rounds).items():
        shown(name, times)


def shown(name: str, times: list[float]) -> None:
    """Print a line: the median, and what one in twenty takes at least."""
    ordered = sorted(times)
    print(
        f"{name:>8} {statistics.median(ordered) * 1e3:9.2f} {ordered[int(0.95 * len(ordered))] * 1e3:9.2f}", flush=True
    )


def feed(rounds: int) -> list[float]:
    """Seconds from the end of a commit in another process until a listener here is called."""
    heard: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder), Schema(()))
        account_id = store.create_account("bench", lambda tx: None)
        store.join()

        def listener(_: Change) -> None:
            heard.append(time.monotonic())

        command = [sys.executable, "-c", _COMMITS, folder, account_id]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            times = []
            store.feed.listen(listener)
            _until(lambda: bool(heard))
            for _ in range(rounds):
                heard.clear()
                other.stdin.write("\n")
                other.stdin.flush()
                committed = float(other.stdout.readline())
                _until(lambda: bool(heard))
                times.append(max(heard[0] - committed, 0.0))
            other.stdin.close()
        store.close()
    return times


class Site:
    """A server of several workers, what it is asked through, and which worker that is."""

    def __init__(self, url: str, pid: int) -> None:
        self._url = url
        self._pid = pid
        with self._by() as its:
            self._client = Client(url, "bench", "bench")
            self._box = self._client.call(("Mailbox/get", {}))[0]["list"][0]["id"]
        self.worker = its[0]
        self._order = 0

    def change(self) -> None:
        """Change a Mailbox."""
        self._order += 1
        self._client.call(("Mailbox/set", {"update": {self._box: {"sortOrder": self._order}}}))

    @contextmanager
    def stream(self) -> Iterator[tuple[int, socket.socket]]:
        """A stream of events, its first one read, and the worker that it is of."""
        where = urlsplit(self._url)
        credentials = base64.b64encode(b"bench:bench").decode()
        head = f"GET {_STREAM} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n\r\n"
        with self._by() as its:
            connection = socket.create_connection((where.hostname, where.port), 60)
            connection.sendall(head.encode())
            while b"id: " not in connection.recv(65536):
                pass
        with connection:
            yield its[0], connection

    @contextmanager
    def _by(self) -> Iterator[list[int]]:
        """Which worker has more connections afterwards."""
        children = (task / "children" for task in Path(f"/proc/{self._pid}/task").iterdir())
        before = {int(pid): _sockets(int(pid)) for one in children for pid in one.read_text().split()}
        found: list[int] = []
        yield found
        found += [worker for worker, count in before.items() if _sockets(worker) > count]


def streams(url: str, pid: int, rounds: int) -> dict[str, list[float]]:
    """Seconds from before a change until its event, at the worker that makes it and at another."""
    site = Site(url, pid)
    times: dict[str, list[float]] = {"same": [], "other": []}
    with ExitStack() as held:
        found: dict[int, socket.socket] = {}
        while len(found) < 2:
            worker, connection = held.enter_context(site.stream())
            found.setdefault(worker, connection)
        for name in times:
            watched = next(one for worker, one in found.items() if (worker == site.worker) == (name == "same"))
            for _ in range(rounds):
                started = time.perf_counter()
                site.change()
                assert b"StateChange" in watched.recv(65536)
                times[name].append(time.perf_counter() - started)
    return times


def _sockets(pid: int) -> int:
    count = 0
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            count += str(one.readlink()).startswith("socket:")
    return count


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.0001)
