"""Servers in a thread of the test's own process, and the plainest ways to talk to them."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from jmaplite.config import parse
from jmaplite.server import Server
from jmaplite.server.sockets import Sockets
from jmaplite.web import App, HTTPSettings, Listener, Listening, Timeouts, certified, create_app
from tests.web.fakes import FakeEngine, FakeVerifier

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]

CONFIG = """
[server.listener.jmap]
bind = "127.0.0.1:0"
{listener}
[store]
path = "data"
[jmap]
directory = "memory"
{more}
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "demo"
secret = "de:mo"
email = "demo@example.org"
member-of = "team"
tokens = "sha256:9f735e0df9a1ddc702bf0a1a7b83033f9f7153a00c29de82cedadc9957289b05"
[[directory.memory.principals]]
name = "zoë"
secret = "pässwörd"
[[directory.memory.principals]]
name = "team"
type = "group"
"""

TOKEN = "testpassword"

SHORT = Timeouts(headers=0.3, body=0.3, keep_alive=60, send=0.5, linger=0.5, shutdown=5)
"""Patience of tests that wait for its end."""


def basic(name: str, password: str) -> str:
    """An Authorization header."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


DEMO = basic("demo", "de:mo")


class Loop:
    """An event loop in a thread of its own. What goes wrong there unnoticed is an error at its end."""

    def __init__(self, factory: LoopFactory | None = None) -> None:
        self._factory = factory

    def __enter__(self) -> Loop:
        self._errors: list[dict[str, Any]] = []
        self._runner = asyncio.Runner(loop_factory=self._factory)
        self._loop = self._runner.get_loop()
        self._loop.set_exception_handler(lambda _, context: self._errors.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        left = [task for task in asyncio.all_tasks(self._loop) if not task.done()]
        self._runner.close()
        assert self._errors == []
        assert left == []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def tasks(self) -> int:
        """How many tasks there are."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self.run(count())


@dataclass(frozen=True)
class Answer:
    """What came back: status, header lines (names in lower case), octets."""

    status: int
    lines: list[tuple[str, str]]
    octets: bytes

    def header(self, name: str) -> str | None:
        """A header that stands at most once."""
        found = [value for one, value in self.lines if one == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.octets)

    @property
    def lasting_lines(self) -> list[tuple[str, str]]:
        """The header lines without those that differ from one answer to the next."""
        return [line for line in self.lines if line[0] not in ("date", "x-request-id")]


@dataclass(frozen=True)
class Site:
    """A server that runs, at its first listener."""

    port: int
    loop: Loop

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        authorization: str | None = DEMO,
        **headers: str,
    ) -> Answer:
        """One request on a connection of its own; `_` in names of headers stands for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if authorization is not None:
            sent["Authorization"] = authorization
        connection = self.connect()
        try:
            connection.request(method, path, body, sent)
            return answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, octets: bytes, *, end: bool = False) -> bytes:
        """What comes back for octets until the server ends the connection."""
        with self.socket() as connection:
            connection.sendall(octets)
            if end:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def call(self, *calls: Any, using: tuple[str, ...] = (), **headers: str) -> Answer:
        """A request to the API."""
        body = json.dumps({"using": ["urn:ietf:params:jmap:core", *using], "methodCalls": calls})
        return self.ask("POST", "/jmap/", body, **{"Content_Type": "application/json", **headers})

    @property
    def session(self) -> Any:
        return self.ask("GET", "/.well-known/jmap").json

    @property
    def account(self) -> str:
        """The id of the user's own account."""
        accounts: dict[str, Any] = self.session["accounts"]
        return next(one for one, about in accounts.items() if about["isPersonal"])

    def upload(self, octets: bytes, **headers: str) -> str:
        """The id of a blob made of octets."""
        answer = self.ask("POST", f"/jmap/upload/{self.account}/", octets, **headers)
        assert answer.status == 201
        blob_id: str = answer.json["blobId"]
        return blob_id


def answer(response: http.client.HTTPResponse) -> Answer:
    """A response, read to its end."""
    lines = [(name.lower(), value) for name, value in response.getheaders()]
    return Answer(response.status, lines, response.read())


def problem(found: Answer) -> Any:
    """The problem document that an answer is (RFC 7807)."""
    assert found.header("content-type") == "application/problem+json"
    assert found.json["status"] == found.status
    assert found.json["detail"]
    return found.json


@contextmanager
def serving(folder: Path, more: str = "", listener: str = "", timeouts: Timeouts | None = None) -> Iterator[Site]:
    """A whole server on a configuration."""
    config = parse(CONFIG.format(more=more, listener=listener), folder / "config.toml")
    with Loop() as loop:
        server = Server(config, timeouts=timeouts)
        loop.run(server.start())
        try:
            port = urlsplit(server.urls["jmap"][0]).port
            assert port is not None
            yield Site(port, loop)
        finally:
            loop.run(server.stop())


async def begin(listening: Listening, app: App) -> Sockets:
    """Have a listener accept connections; answers its sockets. Raises CannotListen."""
    certificates = certified(listening.listener)
    sockets = Sockets().take_up([listening.listener])
    listening.become(listening.listener, app, sockets.of(listening.listener), certificates)
    return sockets


@contextmanager
def serving_fakes(
    engine: FakeEngine,
    verifier: FakeVerifier | None = None,
    settings: HTTPSettings | None = None,
    listener: Listener | None = None,
    loop_factory: LoopFactory | None = None,
) -> Iterator[Site]:
    """The web room alone, over an engine that does as it is told."""
    settings = settings or HTTPSettings()
    listener = listener or Listener("jmap", (("127.0.0.1", 0),))
    with Loop(loop_factory) as loop:
        app = create_app(engine, verifier or FakeVerifier(), lambda octets, encoding: octets, settings)  # type: ignore[arg-type]
        listening = Listening(listener, app)
        loop.run(app.startup())
        sockets = loop.run(begin(listening, app))
        try:
            port = urlsplit(listening.urls[0]).port
            assert port is not None
            yield Site(port, loop)
        finally:
            loop.run(listening.stop(app.settings.timeouts.shutdown))
            sockets.leave()
            loop.run(app.shutdown())


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread is about to bring about."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def descriptors() -> int:
    """How many files and sockets this process has open, but for databases: the store keeps some at hand."""
    names = []
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(str(one.readlink()))
    return sum(".sqlite" not in name for name in names)
