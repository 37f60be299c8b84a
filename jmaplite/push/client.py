"""One POST to somebody's URL: to an address that was looked at before, in bounded time, and no step further.

A name is resolved once, and the connection goes to an address that was found public then; what the name says a moment
later does not matter (RFC 8620 §8.6). Redirections are not followed, and of a response only the head is read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import h11

from jmaplite.push.addresses import Target, is_public, is_this_machine, parse_url

MOST_HEAD = 16_384
"""Octets of a response's head."""

MOST_RESPONSES = 10
"""How many responses may come before the final one (100 to 199)."""

MOST_ADDRESSES = 4
"""How many addresses of a name are tried."""

RESOLVERS = 32
"""How many names are looked up at the same time: a slow name server holds one of these for as long as it likes, when
nobody waits for it any more, too. One user cannot hold so many."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, by name and port. Raises OSError."""


class Refused(Exception):
    """The server does not go there: it is no place for a push service."""


class Unreachable(Exception):
    """Nobody answered, in time and as HTTP has it; later somebody may."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of a response, and its Retry-After header."""

    status: int
    retry_after: str | None


class SystemResolver:
    """Asks the operating system, in threads that nobody waits for when the program ends."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(RESOLVERS)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host. Raises OSError."""
        loop = asyncio.get_running_loop()
        await self._slots.acquire()
        found: asyncio.Future[Sequence[str]] = loop.create_future()

        def settle(addresses: Sequence[str], error: Exception | None) -> None:
            self._slots.release()
            if found.done():
                return
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(addresses)

        def look_up() -> None:
            addresses, failure = _look_up(host, port)
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, addresses, failure)

        try:
            threading.Thread(target=look_up, name="push-resolver", daemon=True).start()
        except BaseException:
            self._slots.release()
            raise
        return await found


def _look_up(host: str, port: int) -> tuple[Sequence[str], Exception | None]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return (), error
    except Exception as error:  # a name that cannot be one, by IDNA
        return (), OSError(f"not a name: {error}")
    return list(dict.fromkeys(str(item[4][0]) for item in found)), None


class Client:
    """Posts, each time over a connection of its own.

    `allow_private` lets everything in that is refused otherwise; `timeout` is in seconds, for all of a request.
    """

    def __init__(
        self, resolve: Resolver, *, timeout: float, allow_private: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self._resolve = resolve
        self._timeout = timeout
        self._allow_private = allow_private
        self._tls = tls

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
        """Post octets. Raises Refused, Unreachable."""
        try:
            target = parse_url(url, allow_private=self._allow_private)
        except ValueError as error:
            raise Refused(str(error)) from error
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await self._connect(target)
                try:
                    writer.write(_request(target, headers, body))
                    await writer.drain()
                    return await _answer(reader, target)
                finally:
                    writer.transport.abort()
        except TimeoutError as error:
            raise Unreachable(f"no answer within {self._timeout:g} seconds") from error
        except (OSError, h11.RemoteProtocolError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an address of a target that may be gone to. Raises Refused, Unreachable, OSError."""
        found = await self._resolve(target.host, target.port)
        addresses = [address for address in found if self._is_allowed(target, address)][:MOST_ADDRESSES]
        if not found:
            raise Unreachable("the name has no address")
        if not addresses:
            raise Refused("the name leads into a private network")
        if self._tls is None:
            self._tls = ssl.create_default_context()  # which takes a while, and most servers never push
        tls = self._tls if target.secure else None
        name = target.host.rstrip(".") if target.secure else None
        failure: OSError | None = None
        for address in addresses:
            try:
                return await asyncio.open_connection(
                    address, target.port, ssl=tls, server_hostname=name, limit=MOST_HEAD
                )
            except OSError as error:
                failure = error
        assert failure is not None
        raise failure

    def _is_allowed(self, target: Target, address: str) -> bool:
        if not target.secure:
            return self._allow_private and is_this_machine(address)
        return self._allow_private or is_public(address)


def _request(target: Target, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    head = [
        ("Host", target.authority),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("User-Agent", "jmaplite"),
        *headers,
    ]
    parts = (
        connection.send(h11.Request(method="POST", target=target.path, headers=head)),
        connection.send(h11.Data(body)),
        connection.send(h11.EndOfMessage()),
    )
    return b"".join(part for part in parts if part)


async def _answer(reader: asyncio.StreamReader, target: Target) -> Answer:
    """The head of the final response. Raises OSError, h11.RemoteProtocolError."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
    connection.send(h11.Request(method="POST", target=target.path, headers=[("Host", target.authority)]))
    connection.send(h11.EndOfMessage())
    for _ in range(MOST_RESPONSES):
        event = connection.next_event()
        while event is h11.NEED_DATA:
            octets = await reader.read(MOST_HEAD)
            if not octets:
                raise ConnectionResetError("the connection was closed before there was an answer")
            connection.receive_data(octets)
            event = connection.next_event()
        if isinstance(event, h11.Response):
            values = [value.decode("ascii", "replace") for name, value in event.headers if name == b"retry-after"]
            return Answer(event.status_code, values[0] if values else None)
    raise ConnectionResetError("the answer does not come to its end")
