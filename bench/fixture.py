"""How long tests wait for their fixture: `python -m bench --fixture`.

The start is from the command to its line of JSON, with bytecode compiled, as it is after an installation. The rest is
over one keep-alive connection to the control API, or in this process, as the fixtures for pytest have it.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

STARTS = 9
THREADS = 400
"""Threads of made-up mail, which come to about a thousand messages."""


@contextmanager
def fixture(*options: str) -> Iterator[tuple[dict[str, Any], float]]:
    """A fixture in a process of its own: what it tells, and after how many seconds."""
    command = [sys.executable, "-m", "jmaplite", "dev", "--exit-with-parent", *options]
    began = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield told, time.perf_counter() - began
        finally:
            process.terminate()


class Control:
    """The control API, over one connection."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        self._path = where.path

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """An operation. Exits if it fails."""
        octets = None if body is None else json.dumps(body).encode()
        self._connection.request(method, self._path + path, octets, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {answer[:300]!r}")
        return json.loads(answer)


def show(what: str, seconds: list[float]) -> None:
    """A line of the table."""
    high = sorted(seconds)[int(0.95 * len(seconds))]
    print(f"{what:54} {statistics.median(seconds) * 1e3:10.2f} {high * 1e3:9.2f}", flush=True)


def timed(rounds: int, work: Callable[[], object], before: Callable[[], object] = lambda: None) -> list[float]:
    """Seconds that each round took, what comes before it not counted."""
    found = []
    for _ in range(rounds):
        before()
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def measure(rounds: int) -> None:
    """Measure, and print a table."""
    print(f"{'fixture':54} {'median ms':>10} {'95 % ms':>9}")
    with fixture():
        pass  # compiles what is not compiled yet
    started = []
    for _ in range(STARTS):
        with fixture() as (_, seconds):
            started.append(seconds)
    show("jmaplite dev, until the JSON line", started)
    with fixture() as (told, _):
        control = Control(told["control"])
        show("POST /users: a fresh account", timed(rounds, lambda: control("POST", "/users", {})))
    with fixture("--threads", str(THREADS // 2)) as (told, _):
        control = Control(told["control"])
        show("POST /reset, 1,000 messages to begin with, unchanged", timed(rounds, lambda: control("POST", "/reset")))

        def deliver() -> None:
            control("POST", "/deliver", {"account": "alice@example.org", "text": "Subject: x\n\nx\n"})

        show("POST /reset after a delivery", timed(rounds, lambda: control("POST", "/reset"), deliver))
        show("PUT /snapshots/x, 1,000 messages", timed(rounds, lambda: control("PUT", "/snapshots/x")))
        restore = timed(rounds, lambda: control("POST", "/snapshots/x/restore"), deliver)
        show("POST /snapshots/x/restore after a delivery", restore)
    with fixture() as (told, _):
        control = Control(told["control"])
        account = {"account": "alice@example.org", "threads": THREADS}

        def generate() -> None:
            control("POST", "/generate", account)

        show("POST /generate, 1,000 messages", timed(5, generate, lambda: control("POST", "/reset")))
        few = max(rounds // 20, 3)
        show("POST /reset with 1,000 messages come since", timed(few, lambda: control("POST", "/reset"), generate))
    _in_process(rounds)


def _in_process(rounds: int) -> None:
    from jmaplite.dev.in_process import FixtureServer

    began = time.perf_counter()
    with FixtureServer() as server:
        show("jmap_server", [time.perf_counter() - began])
        made: list[str] = []
        show("jmap_account: before the test", timed(rounds, lambda: made.append(server.make_user().name)))
        names = iter(made)
        show("jmap_account: after the test", timed(rounds, lambda: server.fixture.remove_user(next(names))))
