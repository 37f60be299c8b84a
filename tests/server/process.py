"""A server in a process of its own, what it says, and the plainest way to ask it."""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.web.serving import basic

CONFIG = """
[server]
hostname = "localhost"
[server.listener.jmap]
bind = "127.0.0.1:0"
[store]
path = "data"
[jmap]
directory = "memory"
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "demo"
secret = "demo"
"""

DEMO = basic("demo", "demo")
PATIENCE = 60


class Process:
    """A server that runs, what it says, and the file that it follows."""

    def __init__(self, config: Path, *, environ: dict[str, str] | None = None) -> None:
        self.config = config
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jmaplite", "serve", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environ or {})},
        )
        self.said: queue.Queue[str] = queue.Queue()
        self.logged: list[str] = []
        self.told_to_end = False
        self.forgotten = False
        self._threads = [
            threading.Thread(target=self._take, args=(self.process.stdout, self.said.put)),
            threading.Thread(target=self._take, args=(self.process.stderr, self.logged.append)),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _take(stream: Any, put: Callable[[str], object]) -> None:
        for line in stream:
            put(line.rstrip("\n"))

    def url(self, listener: str = "jmap") -> str:
        """Where the listener is that is announced next."""
        line = self.said.get(timeout=PATIENCE)
        match = re.fullmatch(rf"jmaplite: listener {listener} on (\S+)", line)
        assert match is not None, (line, self.logged)
        return match[1]

    def end(self) -> None:
        """End it, unless it was told to already; it must do so by itself, and well."""
        if not self.told_to_end:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == (self.process.returncode if self.forgotten else 0), self.logged
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        assert "Traceback" not in "".join(self.logged)

    def forget(self) -> None:
        """Let it end in any way."""
        self.told_to_end = self.forgotten = True

    def logs(self, text: str) -> None:
        """Wait until it has logged something."""
        until(lambda: any(text in line for line in self.logged))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process is about to bring about."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def session(url: str, authorization: str = DEMO) -> tuple[int, dict[str, str], Any]:
    """Status, header lines and document of the session resource, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request("GET", "/.well-known/jmap", headers={"Authorization": authorization})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, json.load(response)
    finally:
        connection.close()


def core(url: str) -> Any:
    """The limits in the session."""
    return session(url)[2]["capabilities"]["urn:ietf:params:jmap:core"]


def upload_limit(url: str) -> int:
    limit: int = core(url)["maxSizeUpload"]
    return limit


def with_limit(octets: int) -> str:
    return CONFIG + f"[jmap.protocol]\nupload.max-size = {octets}\n"
