"""`jmaplite serve`: a server until it is told to stop."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from jmaplite.config import Config
from jmaplite.server.logs import log_to_standard_error
from jmaplite.server.notify import READY, STOPPING, notify
from jmaplite.server.reloading import Reloader
from jmaplite.server.running import Server
from jmaplite.server.workers import Workers

SWITCH_SECONDS = 0.001
"""How long a thread may hold the interpreter while others wait for it: the event loop is one of them."""

ENDINGS = (signal.SIGTERM, signal.SIGINT)


def run(config: Config, file: str, announce: Callable[[str], object]) -> None:
    """Serve, logging as the configuration says, until SIGTERM or SIGINT; in this process or in several workers.

    `file` is what the configuration was read from, and is read again when it changes. Raises CannotServe.
    """
    several = config.server.workers > 1 and not config.dev.enable  # a fixture's clock and faults are in one process
    server = Workers(config, announce) if several else Server(config, announce=announce)
    run_to_end(config, serve(server, file))


def run_to_end(config: Config, work: Coroutine[Any, Any, None]) -> None:
    """Run something in the loop that servers run in, logging as the configuration says."""
    log_to_standard_error(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work)


async def serve(server: Server | Workers, file: str) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reads the configuration again.

    Raises CannotServe.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    reloader = Reloader(server, file)
    for number in ENDINGS:
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    await server.start()
    notify(READY)
    following = loop.create_task(reloader.run())
    await stopped.wait()
    notify(STOPPING)
    for number in ENDINGS:
        loop.remove_signal_handler(number)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    await server.stop()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory
