"""How long it takes from a commit to its event at a client, and what streams cost that wait: `python -m bench --push`.

A user has a hundred streams at most. The time is taken from before the request that makes a change is sent until its
event has come, so it holds a whole request. `one` is a change in the account of a user with one stream, `all` one in an
account that every user sees.
"""

from __future__ import annotations

import base64
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.client import Client

STREAMS = (1, 100, 2000)
PER_USER = 100
IDLE_SECONDS = 10.0


def principals(config: str) -> str:
    """A configuration with as many users as the streams need, all in one group."""
    users = [
        f'[[directory."memory".principals]]\nname = "u{number}"\nsecret = "bench"\nmember-of = ["all"]\n'
        for number in range(STREAMS[-1] // PER_USER)
    ]
    group = '[[directory."memory".principals]]\nname = "all"\ntype = "group"\n'
    return config + "".join(users) + group + '[jmap.event-source]\nthrottle = "0s"\n'


def resident(pid: int) -> int:
    """Octets of memory that a process holds."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def stream(url: str, user: str) -> Iterator[socket.socket]:
    """A stream of events, its first one read."""
    where = urlsplit(url)
    credentials = base64.b64encode(f"{user}:bench".encode()).decode()
    with socket.create_connection((where.hostname, where.port), 60) as connection:
        connection.sendall(
            f"GET /jmap/eventsource/?types=*&closeafter=no&ping=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
            f"{credentials}\r\n\r\n".encode()
        )
        octets = b""
        while b"\nid: " not in octets:
            octets += connection.recv(65536)
        yield connection


class Changer:
    """Makes changes in the user's own account, or in that of the group."""

    def __init__(self, url: str, *, shared: bool) -> None:
        self._client = Client(url, "u0", "bench")
        if shared:
            self._client.account = next(one for one in self._client.accounts if one != self._client.account)
        listed = self._client.call(("Mailbox/get", {}))[0]["list"]
        self._box = listed[0]["id"]
        self._order = 0

    def change(self) -> None:
        """Change a Mailbox."""
        self._order += 1
        self._client.call(("Mailbox/set", {"update": {self._box: {"sortOrder": self._order}}}))


def one(changer: Changer, watching: socket.socket) -> tuple[float, float]:
    """Seconds from the begin of a change to its event, and to the end of the request that made it."""
    started = time.perf_counter()
    changer.change()
    done = time.perf_counter()
    assert b"StateChange" in watching.recv(65536)
    return time.perf_counter() - started, done - started


def everybody(changer: Changer, watching: list[socket.socket]) -> list[float]:
    """Seconds from the begin of a change to its event, at each of many."""
    with selectors.DefaultSelector() as selector:
        for connection in watching:
            selector.register(connection, selectors.EVENT_READ)
        started = time.perf_counter()
        changer.change()
        times: list[float] = []
        while len(times) < len(watching):
            for key, _ in selector.select(60):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.recv(65536)
                selector.unregister(key.fileobj)
                times.append(time.perf_counter() - started)
    return times


def measure(url: str, pid: int, rounds: int) -> None:
    """Print a line for each number of streams."""
    own, group = Changer(url, shared=False), Changer(url, shared=True)
    users = STREAMS[-1] // PER_USER
    print(f"{'streams':>8} {'one: ms':>9} {'95 %':>7} {'all: ms':>9} {'last':>7} {'KiB each':>9} {'idle CPU %':>11}")
    for number in STREAMS:
        with ExitStack() as held:
            watching = held.enter_context(stream(url, "u0"))
            before = resident(pid)
            others = [held.enter_context(stream(url, f"u{1 + at % (users - 1)}")) for at in range(number - 1)]
            each = (resident(pid) - before) / 1024 / len(others) if others else 0.0
            used = seconds(pid)
            time.sleep(IDLE_SECONDS)
            idle = (seconds(pid) - used) / IDLE_SECONDS * 100
            single = sorted(one(own, watching)[0] * 1e3 for _ in range(rounds))
            told = [everybody(group, [watching, *others]) for _ in range(10)]
            times = [value * 1e3 for values in told for value in values]
            last = statistics.median(max(values) * 1e3 for values in told)
            print(
                f"{number:8} {statistics.median(single):9.2f} {single[int(0.95 * len(single))]:7.2f} "
                f"{statistics.median(times):9.2f} {last:7.2f} {each:9.1f} {idle:11.2f}",
                flush=True,
            )
