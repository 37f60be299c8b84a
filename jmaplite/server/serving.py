"""`jmaplite serve`: a server until it is told to stop."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable

from jmaplite.config import Config
from jmaplite.server.logs import log_to_standard_error
from jmaplite.server.running import Server

SWITCH_SECONDS = 0.001
"""How long a thread may hold the interpreter while others wait for it: the event loop is one of them."""


def run(config: Config, announce: Callable[[str], object]) -> None:
    """Serve in this process, logging as the configuration says, until SIGTERM or SIGINT. Raises CannotServe."""
    log_to_standard_error(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(config, announce=announce)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is installed."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return factory
