"""Connections that go wrong, on purpose or not: each gets its end, and nothing is left of it."""

from __future__ import annotations

import gc
import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jmaplite.core.limits import Limits
from jmaplite.web import HTTPSettings, Listener
from tests.web.fakes import FakeEngine
from tests.web.serving import DEMO, SHORT, Site, descriptors, serving, serving_fakes, until

HEAD = f"POST /jmap/ HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Type: application/json\r\n".encode()
ECHO = HEAD + b"Content-Length: 2\r\n\r\n{}"
LARGE = b'"' + b"x" * 20_000_000 + b'"'


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def impatient(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server of little patience, that answers `1` with a large document and all else with itself."""
    limits = Limits(max_size_request=1_000_000, max_concurrent_requests=200)
    engine = FakeEngine(lambda body: LARGE if body == b"1" else body, limits)
    loop_factory = None if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with serving_fakes(engine, settings=HTTPSettings(timeouts=SHORT), loop_factory=loop_factory) as site:
        yield site


@pytest.fixture(autouse=True)
def nothing_is_left(impatient: Site) -> Iterator[None]:
    """After each test there are as many tasks and open sockets as before."""
    gc.collect()
    impatient.ask("GET", "/")
    until(lambda: impatient.loop.tasks() == 0)
    before = descriptors()
    yield
    until(lambda: impatient.loop.tasks() == 0)
    gc.collect()
    until(lambda: descriptors() <= before)
    assert impatient.call().status == 200


def statuses(octets: bytes) -> list[bytes]:
    """The status of each answer in what came back."""
    return [piece[:3] for piece in octets.split(b"HTTP/1.1 ")[1:]]


def sent(connection: socket.socket, octets: bytes) -> bool:
    """Whether octets could be sent."""
    try:
        connection.sendall(octets)
    except ConnectionError:
        return False
    return True


@pytest.mark.parametrize(
    "octets",
    [
        b"GARBAGE\r\n\r\n",
        b"\r\n\x00\x01\x02\r\n\r\n",
        b"GET /\x80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX : z\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
        HEAD + b"Content-Length: x\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: +2\r\n\r\n{}",
        HEAD + b"Content-Length: 2, 3\r\n\r\n{}",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_the_connection_ends(impatient: Site, octets: bytes) -> None:
    answer = impatient.raw(octets)
    assert statuses(answer) == [b"400"]
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"identity", b"xchunked", b"chunked, chunked"])
def test_transfer_codings_that_are_not_understood_are_refused(impatient: Site, coding: bytes) -> None:
    answer = impatient.raw(HEAD + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n")
    assert statuses(answer) in ([b"501"], [b"400"])


@pytest.mark.parametrize(
    "chunks", [b"xyz\r\n\r\n", b"-1\r\n", b"2\r\n{}XX0\r\n\r\n", b"f" * 30 + b"\r\n", b"2;" + b"x" * 100_000]
)
def test_chunks_that_are_none_are_refused(impatient: Site, chunks: bytes) -> None:
    assert statuses(impatient.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks))[0] in (b"400", b"431")


def test_a_head_that_does_not_end_is_refused(impatient: Site) -> None:
    for octets in (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000, b"GET /" + b"a" * 200_000):
        answer = impatient.raw(octets)
        assert statuses(answer)[0] in (b"431", b"414", b"400")
        assert b"application/problem+json" in answer


@pytest.mark.parametrize("target", ["http://x/jmap/", "HTTP://y:1/jmap/", "/jmap/", "/jmap/?x=http://y/"])
def test_a_target_may_be_a_whole_url(impatient: Site, target: str) -> None:
    octets = ECHO.replace(b"/jmap/", target.encode(), 1).replace(b"Host: x", b"Host: x\r\nConnection: close")
    assert statuses(impatient.raw(octets)) == [b"200"]


@pytest.mark.parametrize("target", ["http://[", "http:", "x", "*", "//", "http://x", "/%ff%00"])
def test_a_target_that_is_nowhere_is_not_found(impatient: Site, target: str) -> None:
    octets = ECHO.replace(b"/jmap/", target.encode(), 1).replace(b"Host: x", b"Host: x\r\nConnection: close")
    answer = impatient.raw(octets)
    assert statuses(answer) == [b"404"]
    assert b"application/problem+json" in answer


def test_many_header_lines_are_borne(impatient: Site) -> None:
    lines = b"".join(b"X-%d: y\r\n" % n for n in range(1000))
    assert statuses(impatient.raw(HEAD + lines + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")) == [b"200"]


def test_requests_that_come_together_are_answered_in_order(impatient: Site) -> None:
    requests = b"".join(HEAD + b"Content-Length: 3\r\n\r\n%03d" % n for n in range(20))
    answer = impatient.raw(requests + HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
    assert statuses(answer) == [b"200"] * 21
    positions = [answer.index(b"\r\n\r\n%03d" % n) for n in range(20)]
    assert positions == sorted(positions)


def test_who_ends_its_side_at_once_is_answered(impatient: Site) -> None:
    assert statuses(impatient.raw(ECHO, end=True)) == [b"200"]
    assert impatient.raw(HEAD + b"Content-Length: 1\r\n\r\n1", end=True).endswith(LARGE)


def test_who_ends_its_side_within_a_request_is_told_so(impatient: Site) -> None:
    assert statuses(impatient.raw(HEAD + b"Content-Length: 10\r\n\r\n{}", end=True)) == [b"400"]


def test_a_body_that_does_not_come_is_not_waited_for(impatient: Site) -> None:
    answer = impatient.raw(HEAD + b"Content-Length: 10\r\n\r\n{}")
    assert statuses(answer) == [b"408"]
    assert b"application/problem+json" in answer


def test_a_body_that_drips_is_not_waited_for(impatient: Site) -> None:
    with impatient.socket() as connection:
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        ended = threading.Event()

        def drip() -> None:
            try:
                while not ended.wait(0.02):
                    connection.sendall(b"x")
            except OSError:
                pass

        thread = threading.Thread(target=drip)
        thread.start()
        answer = connection.recv(65536)
        ended.set()
        thread.join()
    assert statuses(answer) == [b"408"]


def test_a_head_that_drips_is_not_waited_for(impatient: Site) -> None:
    assert impatient.raw(b"GET / HTT") == b""
    with impatient.socket() as connection:
        connection.sendall(ECHO)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HTTP/1.1\r\nHos")
        assert connection.recv(65536) == b""


def test_who_does_not_take_its_answer_is_cut_off(impatient: Site) -> None:
    with impatient.socket() as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\n\r\n1")
        until(lambda: impatient.loop.tasks() > 0)
        until(lambda: impatient.loop.tasks() == 0)


def test_who_is_refused_while_it_sends_can_read_why(impatient: Site) -> None:
    answer = impatient.ask("POST", "/jmap/", bytes(30_000_000), Content_Type="application/json")
    assert answer.status == 400
    assert answer.header("connection") == "close"
    answer = impatient.ask("POST", "/jmap/", bytes(30_000_000), authorization=None)
    assert answer.status == 401


def test_who_sends_on_and_on_after_it_was_refused_is_cut_off(impatient: Site) -> None:
    with impatient.socket() as connection:
        connection.sendall(HEAD + b"Content-Length: 100000000000\r\n\r\n")
        until(lambda: not sent(connection, bytes(65536)))


def test_connections_that_are_reset_leave_nothing(impatient: Site) -> None:
    for octets in (
        b"",
        b"GET",
        HEAD,
        HEAD + b"Content-Length: 10\r\n\r\n{",
        ECHO,
        HEAD + b"Content-Length: 1\r\n\r\n1",
    ):
        connection = impatient.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(octets)
        connection.close()


def test_many_connections_that_come_and_go_leave_nothing(impatient: Site) -> None:
    connections = [impatient.socket() for _ in range(100)]
    for connection in connections:
        connection.sendall(ECHO)
    for connection in connections:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.close()


def test_a_connection_is_kept_only_for_a_while() -> None:
    patience = HTTPSettings(timeouts=SHORT.__class__(keep_alive=0.2, linger=0.2))
    with serving_fakes(FakeEngine(), settings=patience) as site:
        answer = site.raw(ECHO)
        assert statuses(answer) == [b"200"]


def test_without_any_patience_a_connection_is_for_one_request() -> None:
    with serving_fakes(FakeEngine(), settings=HTTPSettings(timeouts=SHORT.__class__(keep_alive=0))) as site:
        answer = site.raw(ECHO + ECHO)
    assert statuses(answer) == [b"200"]
    assert b"\r\nconnection: close\r\n" in answer.lower()


def test_connections_beyond_the_number_allowed_are_not_served() -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), max_connections=1)
    with serving_fakes(FakeEngine(), listener=listener) as site:
        first = site.connect()
        first.request("GET", "/")
        first.getresponse().read()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            site.ask("GET", "/")
        first.close()
        until(lambda: site.loop.tasks() == 0)
        assert site.ask("GET", "/").status == 404


def test_a_large_download_that_is_left_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, timeouts=SHORT) as site:
        path = f"/jmap/download/{site.account}/{site.upload(bytes(20_000_000))}/x"
        until(lambda: site.loop.tasks() == 0)
        before = descriptors()
        for _ in range(3):
            with site.socket() as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\n\r\n".encode())
                assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        until(lambda: site.loop.tasks() == 0)
        until(lambda: descriptors() <= before)
