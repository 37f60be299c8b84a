"""Ports for servers that have to be told theirs before they begin."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

LOWEST = 20_000
"""Beneath are those of services that may be there."""

_chance = random.SystemRandom()
"""Not that of a test, which begins anew with each: several at the same time would want the same ports."""


def free_ports(count: int) -> list[int]:
    """Ports of every address that nobody has, and that the kernel gives to nobody who does not ask for them."""
    try:
        highest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        highest = 0
    with ExitStack() as taken:
        found: list[int] = []
        while len(found) < count:
            wanted = _chance.randrange(LOWEST, highest) if highest > LOWEST + 1000 else 0
            try:
                one = taken.enter_context(socket.create_server(("", wanted)))
            except OSError:
                continue
            found.append(one.getsockname()[1])
        return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]
