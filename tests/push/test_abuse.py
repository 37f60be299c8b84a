"""Two thousand streams and WebSockets, opened and cut in every way: nothing is left of them."""

from __future__ import annotations

import gc
import os
import random
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jmaplite.web import Timeouts
from tests.web.serving import DEMO, Site, descriptors, serving, until
from tests.web.sockets import opened

TOTAL = 2000
AT_ONCE = 100

IMPATIENT = Timeouts(headers=2, body=2, keep_alive=60, send=0.5, linger=0.2, shutdown=5)
THROTTLES = 'event-source.throttle = "0s"\nweb-socket.throttle = "0s"\nprotocol.request.max-size = 100000'

STREAM = (
    f"GET /jmap/eventsource/?types=*&closeafter=no&ping=0 HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\n\r\n".encode()
)
SOCKET = (
    f"GET /jmap/ws/ HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: jmap\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
).encode()


def frame(octets: bytes, first: int = 0x81, length: int | None = None) -> bytes:
    """A frame of a client's, with a mask that changes nothing."""
    said = len(octets) if length is None else length
    if said < 126:
        return bytes((first, 0x80 | said)) + bytes(4) + octets
    return bytes((first, 0x80 | 127)) + said.to_bytes(8, "big") + bytes(4) + octets


ENABLE = frame(b'{"@type":"WebSocketPushEnable","dataTypes":null,"pushState":"x"}')
REQUEST = frame(b'{"@type":"Request","using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{},"0"]]}')


def answered(connection: socket.socket) -> None:
    """Wait for the head of the answer."""
    octets = b""
    while b"\r\n\r\n" not in octets:
        piece = connection.recv(65536)
        assert piece
        octets += piece


def reset(connection: socket.socket) -> None:
    """End without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def half_open(connection: socket.socket) -> None:
    """End one's own side alone."""
    connection.shutdown(socket.SHUT_WR)


def says_nothing(connection: socket.socket) -> None:
    """Just go."""


def sends(*octets: bytes) -> Callable[[socket.socket], None]:
    """Say this and go, as far as it is taken."""

    def send(connection: socket.socket) -> None:
        connection.settimeout(1)
        with suppress(OSError):
            for piece in octets:
                connection.sendall(piece)

    return send


WAYS: tuple[tuple[bytes, Callable[[socket.socket], None]], ...] = (
    (STREAM[:60], says_nothing),
    (STREAM, says_nothing),
    (STREAM, reset),
    (STREAM, half_open),
    (STREAM, sends(STREAM * 20)),
    (STREAM, sends(b"\xff" * 1000)),
    (SOCKET[:100], says_nothing),
    (SOCKET, says_nothing),
    (SOCKET, reset),
    (SOCKET, half_open),
    (SOCKET, sends(frame(b"\x03\xe8", 0x88))),
    (SOCKET, sends(ENABLE)),
    (SOCKET, sends(ENABLE, REQUEST * 50)),
    (SOCKET, sends(REQUEST[:20])),
    (SOCKET, sends(frame(b"x" * 10, length=1000))),
    (SOCKET, sends(frame(b"x" * 200_000))),
    (SOCKET, sends(frame(b"x" * 100, length=1 << 62))),
    (SOCKET, sends(frame(b"x", 0x83))),
    (SOCKET, sends(frame(b"x", 0xC1))),
    (SOCKET, sends(frame(b"x", 0x82))),
    (SOCKET, sends(b"GARBAGE" * 100)),
    (SOCKET, sends(frame(b"x" * 125, 0x89) * 1000)),
    (SOCKET, sends(frame(b"", 0x01) * 1000)),
)
"""What is begun, and how it ends."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path, THROTTLES, timeouts=IMPATIENT) as site:
        yield site


def batch(site: Site, number: int, rng: random.Random) -> None:
    """So many at the same time, while something changes; all are gone afterwards."""
    connections = []
    for _ in range(number):
        begin, end = rng.choice(WAYS)
        connection = site.socket()
        connection.sendall(begin)
        connections.append((connection, begin, end))
    for connection, begin, end in connections:
        if begin in (STREAM, SOCKET):
            answered(connection)
        end(connection)
    create = {"accountId": site.account, "create": {"a": {"name": str(rng.random())}}}
    until(lambda: site.call(["Mailbox/set", create, "0"], using=("urn:ietf:params:jmap:mail",)).status == 200)
    for connection, _, _ in connections:
        connection.close()


def test_nothing_is_left_of_two_thousand(site: Site) -> None:
    rng = random.Random(os.environ.get("PYTEST_RANDOMLY_SEED", "1"))
    batch(site, AT_ONCE, rng)
    until(lambda: site.loop.tasks() == 0)
    gc.collect()
    before = descriptors()
    tracemalloc.start()
    try:
        batch(site, AT_ONCE, rng)
        until(lambda: site.loop.tasks() == 0)
        gc.collect()
        octets = tracemalloc.get_traced_memory()[0]
        for _ in range(TOTAL // AT_ONCE - 2):
            batch(site, AT_ONCE, rng)
        until(lambda: site.loop.tasks() == 0)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - octets
    finally:
        tracemalloc.stop()
    until(lambda: descriptors() <= before)
    assert grown < 1_000_000, "that is more than 500 octets for each"


@contextmanager
def reading_nothing(site: Site) -> Iterator[socket.socket]:
    """A WebSocket whose client has taken none of its answers for a while."""
    large = frame(
        b'{"@type":"Request","using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{"a":"%b"},"0"]]}'
        % (b"x" * 90_000)
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", site.port))
        connection.sendall(SOCKET.replace(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b""))
        answered(connection)
        sends(*([large] * 400))(connection)
        yield connection


def test_a_client_that_reads_nothing_is_given_up_and_its_answers_with_it(site: Site) -> None:
    with reading_nothing(site) as connection:
        until(lambda: site.loop.tasks() == 0)
        octets = b""
        while b"methodResponses" not in octets:
            octets += connection.recv(65536)


def test_a_client_that_has_gone_is_not_asked_whether_it_is_there(tmp_path: Path) -> None:
    """Of a ping that waited behind an answer that nobody took nothing is left: whoever runs the loop would be told."""
    with serving(tmp_path, f'{THROTTLES}\nweb-socket.heartbeat = "10ms"') as site:
        with reading_nothing(site) as connection:
            reset(connection)
        until(lambda: site.loop.tasks() == 0)
        with opened(site) as other:
            other.be_pinged(20)
