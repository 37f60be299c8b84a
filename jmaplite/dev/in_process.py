"""A fixture within the process of the tests, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
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
    """A context manager: inside it there is a server, like that of `jmaplite dev`. Raises CannotServe, ConfigError."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._closing = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="jmaplite fixture", daemon=True)
        self.fixture: Fixture
        self.ca: Path | None = None
        self.introduction: dict[str, Any] = {}

    def __enter__(self) -> FixtureServer:
        config, self.ca = self._closing.enter_context(prepared(self._options))
        self._thread.start()
        self._closing.callback(self._end)
        self._server = self._run(self._start(config))
        fixture = self._server.extension
        assert isinstance(fixture, Fixture)
        self.fixture = fixture
        if self._options.profile or self._options.quirks:
            fixture.be(self._options.profile, self._options.quirks)
        self.introduction = introduction(fixture, self.ca)
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

    async def _start(self, config: Config) -> Server:
        server = Server(config)
        await server.start()
        return server

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def _end(self) -> None:
        if hasattr(self, "_server"):
            self._run(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
