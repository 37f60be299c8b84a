"""A fixture within the process of the tests, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from jmaplite.client import JMAPClient
from jmaplite.config import Config
from jmaplite.dev.fixture import Fixture, Login
from jmaplite.dev.launch import Options, introduction, prepared
from jmaplite.server import Server

PATIENCE = 60
"""Seconds in which it has to start or stop."""


class FixtureServer:
    """A context manager: inside it there is a server, like that of `jmaplite dev`.

    Raises CannotServe, ConfigError, UnknownQuirk, OSError; nothing is left then.
    """

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._closing = ExitStack()
        self._loop: asyncio.AbstractEventLoop
        self._server: Server
        self.fixture: Fixture
        self.ca: Path | None = None
        self.introduction: dict[str, Any] = {}

    def __enter__(self) -> FixtureServer:
        with ExitStack() as beginning:
            config, self.ca = beginning.enter_context(prepared(self._options))
            self._loop = beginning.enter_context(_loop_in_a_thread())
            self._server = self._run(_started(config))
            beginning.callback(lambda: self._run(self._server.stop()))
            fixture = self._server.extension
            assert isinstance(fixture, Fixture)
            self.fixture = fixture
            if self._options.profile or self._options.quirks:
                fixture.be(self._options.profile, self._options.quirks)
            self.introduction = introduction(fixture, self.ca)
            self._closing = beginning.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    @property
    def url(self) -> str:
        """Where it is, as http://127.0.0.1:8080."""
        return str(self.introduction["url"])

    @property
    def session_url(self) -> str:
        """Where the Session object is."""
        return str(self.introduction["session"])

    @property
    def control_url(self) -> str:
        """Where the control API is."""
        return str(self.introduction["control"])

    def client(self, token: str) -> JMAPClient:
        """A client of the user whom a bearer token belongs to."""
        return JMAPClient(self.session_url, token=token, ca=str(self.ca) if self.ca else None)

    def make_user(self, name: str | None = None, **more: Any) -> Login:
        """Make a user with an account of its own. Raises NoSuchName."""
        return self.fixture.make_user(name or self.fixture.new_name(), None, None, **more)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


async def _started(config: Config) -> Server:
    server = Server(config)
    await server.start()
    return server


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="jmaplite fixture", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()
