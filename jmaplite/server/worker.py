"""One of several processes of a server. It is told by the first of them what to serve, and ends when that one does."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

from jmaplite.server.channel import Channel, Done, Errors, Serve
from jmaplite.server.ground import CannotServe
from jmaplite.server.logs import log_to_standard_error
from jmaplite.server.running import Server
from jmaplite.server.serving import run_to_end

logger = logging.getLogger(__name__)


def main() -> None:
    """Serve what the process says that has started this one; its end of the channel is the last argument."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # what is typed at a terminal goes to all, and is for the first
    channel = Channel(socket.socket(fileno=int(sys.argv[-1])))
    try:
        message, descriptors = channel.receive()
    except (EOFError, OSError):
        return
    if isinstance(message, Serve):
        run_to_end(message.config, _serve(channel, message, descriptors))


async def _serve(channel: Channel, message: Serve, descriptors: list[int]) -> None:
    """Serve until SIGTERM, or until nobody is there any more who could say otherwise."""
    loop = asyncio.get_running_loop()
    try:
        server = Server(message.config, announce=logger.debug)
        await server.start(server.inherited(message, descriptors))
    except CannotServe as error:
        channel.send(Done(str(error)))
        return
    await server.tell(message.errors)
    # What is told is read in a thread, which an end of the channel ends.
    loop.add_signal_handler(signal.SIGTERM, channel.connection.shutdown, socket.SHUT_RDWR)
    channel.send(Done())
    try:
        while True:
            channel.send(await _obey(server, *await asyncio.to_thread(channel.receive)))
    except (EOFError, OSError):
        pass
    finally:
        await server.stop()
        channel.close()


async def _obey(server: Server, message: object, descriptors: list[int]) -> Done:
    """Do as one is told."""
    if isinstance(message, Errors):
        await server.tell(message.lines)
    elif isinstance(message, Serve):
        try:
            await server.reload(message.config, server.inherited(message, descriptors))
        except CannotServe as error:
            return Done(str(error))
        log_to_standard_error(message.config)
    return Done()
