"""What a configuration cannot tell by itself: whether the machine will give what it asks for."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from jmaplite.config.addresses import Address
from jmaplite.config.kinds import quoted
from jmaplite.config.settings import Settings
from jmaplite.config.table import Config

_REASONS = {
    errno.EADDRINUSE: "is in use, maybe by this server itself",
    errno.EACCES: "may not be bound by this user",
    errno.EPERM: "may not be bound by this user",
    errno.EADDRNOTAVAIL: "is no address of this machine",
}


def probe(settings: Settings, config: Config) -> None:
    """Note what could keep a server from starting here and now; whoever checks may be another user than who serves."""
    for bind in settings.all("server.listener.<id>.bind").values():
        for element, address in enumerate(bind.value):
            reason = _unbindable(address)
            if reason is not None:
                settings.remark(bind.places[element], bind.key, f"{address} {reason}")
    store = settings.get("store.path")
    reason = _unwritable(config.store.path)
    if reason is not None:
        settings.remark(store.place if store else settings.top(), "store.path", reason)


def _unbindable(address: Address) -> str | None:
    """Why nobody could listen at an address now, or None."""
    if address.path is not None:
        folder = address.path.parent
        return None if os.access(folder, os.W_OK) else f"cannot be made: {quoted(str(folder), 300)} is not writable"
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return "has a host name that is not known"
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                tried.bind(place)
        except OSError as error:
            return _REASONS.get(error.errno or 0, f"cannot be bound: {error.strerror or error}")
    return None


def _unwritable(path: Path) -> str | None:
    """Why a store could not be kept in a directory, or None."""
    there = next((one for one in (path, *path.parents) if one.is_dir()), Path("/"))
    if os.access(there, os.W_OK | os.X_OK):
        return None
    return f"{quoted(str(there), 300)} is not writable for the user who checks"
