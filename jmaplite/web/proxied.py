"""The PROXY protocol, versions 1 and 2: how a proxy that knows no HTTP tells whom it speaks for.

It is what HAProxy has published as proxy-protocol.txt. A header is taken from trusted peers only, before anything
else is read of a connection, TLS included, and not one octet more than the header is.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass

Address = tuple[str, int]

_SIGNATURE_1 = b"PROXY "
_SIGNATURE_2 = b"\r\n\r\n\x00\r\nQUIT\n"

_LONGEST_1 = 107
"""Octets of a header of version 1, its end included."""

_LONGEST_2 = 4096
"""Octets of a header of version 2 that are taken; its addresses have 36, at most 216."""

_LINE = re.compile(rb"PROXY (?:UNKNOWN(?: [^\r]*)?|TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r\n")

_RETRY_SECONDS = 0.01
"""When to look again at a header of which only a part has come."""

_TLV_SSL = 0x20
_CLIENT_SSL = 0x01


class NotProxied(Exception):
    """A header of the PROXY protocol is none, although it begins like one."""


@dataclass(frozen=True, slots=True)
class Proxied:
    """Whom a proxy speaks for: its address, the one that it connected to, and whether it did so by TLS."""

    client: Address
    server: Address
    secure: bool = False


async def read(connection: socket.socket) -> Proxied | None:
    """What the header says that a connection begins with; None where there is none, or it says nothing.

    Raises NotProxied, OSError. Who says nothing is waited for.
    """
    while True:
        begun = await _peek(connection, len(_SIGNATURE_2))
        if begun.startswith(_SIGNATURE_1):
            return parse_1(await _line(connection))
        if begun == _SIGNATURE_2:
            return await _second(connection)
        if not begun or not (_SIGNATURE_1.startswith(begun) or _SIGNATURE_2.startswith(begun)):
            return None
        await asyncio.sleep(_RETRY_SECONDS)


def parse_1(line: bytes) -> Proxied | None:
    """What a header of version 1 says. Raises NotProxied."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise NotProxied("a PROXY header of version 1 is none")
    family, source, target, source_port, target_port = match.groups()
    if family is None:
        return None
    try:
        addresses = [ipaddress.ip_address(one.decode("ascii", "replace")) for one in (source, target)]
    except ValueError:
        raise NotProxied("a PROXY header has an address that is none") from None
    if any(one.version != int(family) for one in addresses) or max(int(source_port), int(target_port)) > 65535:
        raise NotProxied("a PROXY header has an address of another family, or a port that is none")
    return Proxied((str(addresses[0]), int(source_port)), (str(addresses[1]), int(target_port)))


def parse_2(command: int, family: int, octets: bytes) -> Proxied | None:
    """What a header of version 2 says: its 13th and 14th octet, and what follows its length. Raises NotProxied."""
    if command >> 4 != 2 or command & 15 > 1:
        raise NotProxied("a PROXY header of version 2 has another version, or an unknown command")
    if command & 15 == 0:
        return None  # LOCAL: the proxy speaks for itself
    size = {0x11: 4, 0x21: 16}.get(family)
    if size is None:
        return None
    if len(octets) < 2 * size + 4:
        raise NotProxied("a PROXY header of version 2 is too short for its addresses")
    source, target = (str(ipaddress.ip_address(octets[n : n + size])) for n in (0, size))
    ports = octets[2 * size : 2 * size + 4]
    rest = octets[2 * size + 4 :]
    return Proxied(
        (source, int.from_bytes(ports[:2], "big")), (target, int.from_bytes(ports[2:], "big")), _is_secure(rest)
    )


def _is_secure(octets: bytes) -> bool:
    """Whether what follows the addresses, in types, lengths and values, says that the client spoke TLS."""
    while len(octets) >= 3:
        length = int.from_bytes(octets[1:3], "big")
        if octets[0] == _TLV_SSL and length:
            return bool(octets[3:4]) and bool(octets[3] & _CLIENT_SSL)
        octets = octets[3 + length :]
    return False


async def _line(connection: socket.socket) -> bytes:
    """A header of version 1, taken. Raises NotProxied."""
    while True:
        begun = await _peek(connection, _LONGEST_1)
        end = begun.find(b"\n") + 1
        if end:
            return await _take(connection, end)
        if len(begun) == _LONGEST_1 or b"\0" in begun:
            raise NotProxied("a PROXY header of version 1 does not end")
        await asyncio.sleep(_RETRY_SECONDS)


async def _second(connection: socket.socket) -> Proxied | None:
    """A header of version 2, taken. Raises NotProxied."""
    head = await _take(connection, 16)
    length = int.from_bytes(head[14:], "big")
    if length > _LONGEST_2:
        raise NotProxied("a PROXY header of version 2 is too long")
    return parse_2(head[12], head[13], await _take(connection, length))


async def _take(connection: socket.socket, count: int) -> bytes:
    """So many octets. Raises NotProxied when the connection ends before."""
    loop = asyncio.get_running_loop()
    taken = b""
    while len(taken) < count:
        octets = await loop.sock_recv(connection, count - len(taken))
        if not octets:
            raise NotProxied("a connection ended within its PROXY header")
        taken += octets
    return taken


async def _peek(connection: socket.socket, count: int) -> bytes:
    """At most so many octets, at least one unless the connection has ended, which stay to be read."""
    while True:
        try:
            return connection.recv(count, socket.MSG_PEEK)
        except BlockingIOError:
            await _readable(connection)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    number = connection.fileno()
    loop.add_reader(number, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(number)
