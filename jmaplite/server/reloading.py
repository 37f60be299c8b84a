"""A server that follows its configuration file: what changes there is taken up while it runs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from jmaplite.config import Config, ConfigError, load
from jmaplite.server.ground import CannotServe
from jmaplite.server.logs import log_to_standard_error
from jmaplite.server.notify import READY, notify, reloading
from jmaplite.server.running import Server
from jmaplite.server.watching import Watch, named
from jmaplite.server.workers import Workers

logger = logging.getLogger(__name__)


class Reloader:
    """Reads `file` again when it, or another file that it names, has changed, or somebody asks for it.

    What cannot be used is logged, and leaves the server as it is.
    """

    def __init__(self, server: Server | Workers, file: str) -> None:
        self._server = server
        self._file = file
        self._files = _files(server.config)
        self._wanted = asyncio.Event()

    def ask(self) -> None:
        """Read the file again, whether or not it has changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Follow the file until this is cancelled."""
        loop = asyncio.get_running_loop()
        watch = Watch(self._files, lambda: loop.call_soon_threadsafe(self._wanted.set))
        watch.start()
        try:
            await self._catch_up()
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._reload()
                if self._files != watch.files:
                    watch.follow(self._files)
                    self._wanted.set()  # they may have changed since they were read
        finally:
            # Ends within a step of the watch, and nobody waits for it in this loop.
            await asyncio.to_thread(watch.stop)

    async def _catch_up(self) -> None:
        """Want the file to be read if it has changed between the start and the first look at it."""
        try:
            changed = await asyncio.to_thread(load, self._file) != self._server.config
        except ConfigError:
            changed = True
        if changed:
            self._wanted.set()

    async def _reload(self) -> None:
        notify(reloading())
        lines: tuple[str, ...] = ()
        self._files = _files(self._server.config)
        try:
            config = await asyncio.to_thread(load, self._file)
            self._files = _files(config)
            await self._server.reload(config)
            logger.info("the configuration was read and is in use")
            log_to_standard_error(config)
        except ConfigError as error:
            lines = tuple(error.lines())
            self._files |= set(error.sources)
        except CannotServe as error:
            lines = (str(error),)
        except Exception:
            logger.exception("the configuration could not be taken up")
            lines = ("the server failed unexpectedly when it took the configuration up",)
        for line in lines:
            logger.error("%s", line)
        if lines:
            logger.error("the configuration stays as it was, for the reasons above")
        await self._server.tell(lines)
        notify(READY)


def _files(config: Config) -> frozenset[Path]:
    """Every file that a configuration was read from, or names."""
    return frozenset({*config.sources, *named(config.certificates), *named(config.directories)})
