"""What a service manager is told of the server's state (sd_notify(3)), if one asks for it."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"


def reloading() -> str:
    """The message at the beginning of a reload; READY ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def notify(message: str) -> None:
    """Tell the service manager, if $NOTIFY_SOCKET names its socket; whether it hears is not our concern."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        manager.sendto(message.encode(), "\0" + address[1:] if address[0] == "@" else address)
