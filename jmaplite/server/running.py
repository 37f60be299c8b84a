"""A server in this process: its listeners, and what is behind them."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from jmaplite.config import Config
from jmaplite.directory.credentials import Credentials
from jmaplite.formats.mime import decode
from jmaplite.push import Hub
from jmaplite.server.chores import Chores
from jmaplite.server.ground import CannotServe
from jmaplite.server.parts import compose
from jmaplite.server.settings import http_settings, listeners
from jmaplite.web import CannotListen, Listening, Timeouts, create_app

logger = logging.getLogger(__name__)


class Server:
    """A server in this process. `announce` is given a line for each listener that accepts connections.

    It belongs to the event loop in which it is started. Raises CannotServe when it is made.
    """

    def __init__(
        self,
        config: Config,
        *,
        announce: Callable[[str], object] = logger.info,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.parts = compose(config)
        self._announce = announce
        settings = http_settings(config, timeouts)
        self._hub = Hub(self.parts.ground.store, self.parts.sees)
        self._app = create_app(self.parts.engine, Credentials(self.parts.directory), decode, settings, self._hub)
        self._listening = [Listening(one, self._app) for one in listeners(config)]
        self._chores = Chores(self.parts, config.server.hostname)

    @property
    def urls(self) -> dict[str, tuple[str, ...]]:
        """Where each listener accepts connections, by its id."""
        return {one.listener.id: one.urls for one in self._listening}

    async def start(self) -> None:
        """Accept connections. Raises CannotServe; nothing is left open then."""
        self._hub.start()
        try:
            await self._app.startup()
            for listening in self._listening:
                await listening.start()
        except CannotListen as error:
            await self.stop()
            raise CannotServe(str(error)) from None
        self._chores.start()
        for listening in self._listening:
            one = listening.listener
            self._announce(f"jmaplite: listener {one.id} on {', '.join(listening.urls)}")

    async def stop(self) -> None:
        """Let what is under way end, within a bound, and let go of everything."""
        self._hub.end()
        await asyncio.gather(*(listening.stop() for listening in self._listening))
        await self._app.shutdown()
        await self._hub.close()
        await asyncio.to_thread(self._chores.stop)
        self.parts.close()

    async def serve(self) -> None:
        """Serve until SIGTERM or SIGINT; a second one ends the process at once. Raises CannotServe."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        await self.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        await stopped.wait()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
        await self.stop()
