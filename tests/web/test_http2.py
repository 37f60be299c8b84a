"""HTTP/2, by ALPN and by prior knowledge (RFC 9113)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import trustme
from hypercorn.asyncio.worker_context import EventWrapper

from jmaplite.core.limits import Limits
from jmaplite.web import TLS, CannotListen, HTTPSettings, Listener
from jmaplite.web.protocols import Outbox
from tests.web.fakes import FakeEngine
from tests.web.serving import DEMO, SHORT, Site, serving_fakes, until

Headers = list[tuple[str, str]]


@dataclass
class Stream:
    """What came back on one stream."""

    headers: Headers = field(default_factory=list)
    octets: bytes = b""
    ended: bool = False

    @property
    def status(self) -> str:
        return dict(self.headers)[":status"]


class Client:
    """As much of a client of HTTP/2 as a test needs."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.streams: dict[int, Stream] = {}
        self.closed = False
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def open(self, method: str, path: str, *more: tuple[str, str], end: bool = True) -> int:
        """Begin a request; answers the number of its stream."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "x"), ("authorization", DEMO)]
        self.h2.send_headers(number, [*head, *more], end_stream=end)
        self.streams[number] = Stream()
        self.flush()
        return number

    def post(self, path: str, octets: bytes) -> int:
        """A request with a body; answers the number of its stream."""
        number = self.open("POST", path, ("content-type", "application/json"), end=False)
        sent = 0
        while sent < len(octets) and not self.streams[number].ended:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(octets) - sent)
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(number, octets[sent : sent + room])
            sent += room
            self.flush()
        if not self.streams[number].ended:
            self.h2.end_stream(number)
            self.flush()
        return number

    def receive(self) -> None:
        """Take in what comes next."""
        octets = self.socket.recv(65536)
        if not octets:
            self.closed = True
            return
        for event in self.h2.receive_data(octets):
            if isinstance(event, h2.events.ResponseReceived):
                self.streams[event.stream_id].headers = [(str(n), str(v)) for n, v in event.headers or []]
            elif isinstance(event, h2.events.DataReceived):
                self.streams[event.stream_id].octets += event.data or b""
                self.h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                self.streams[event.stream_id].ended = True
        self.flush()

    def result(self, number: int) -> Stream:
        """A stream at its end."""
        while not self.streams[number].ended and not self.closed:
            self.receive()
        return self.streams[number]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server that answers `1` with much and all else with itself."""
    limits = Limits(max_size_request=500_000)

    def answer(body: bytes) -> bytes:
        if body == b"slow":
            threading.Event().wait(0.1)
        return b'"' + b"x" * 500_000 + b'"' if body == b"1" else body

    engine = FakeEngine(answer, limits)
    with serving_fakes(engine, settings=HTTPSettings(timeouts=SHORT)) as site:
        yield site


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.socket() as connection:
        yield Client(connection)
    until(lambda: site.loop.tasks() == 0)


def test_requests_are_answered_beside_each_other(client: Client) -> None:
    numbers = [client.post("/jmap/", b"%d" % n) for n in range(10, 13)]
    assert [client.result(number).octets for number in numbers] == [b"10", b"11", b"12"]


def test_errors_are_problem_documents(client: Client) -> None:
    stream = client.result(client.open("GET", "/nowhere"))
    assert stream.status == "404"
    assert dict(stream.headers)["content-type"] == "application/problem+json"


def test_a_large_answer_arrives_whole(client: Client) -> None:
    assert len(client.result(client.post("/jmap/", b"1")).octets) == 500_002


def test_a_large_request_arrives_whole(client: Client) -> None:
    assert client.result(client.post("/jmap/", b"7" * 500_000)).octets == b"7" * 500_000


def test_a_request_that_is_refused_while_it_comes_is_told_why(client: Client) -> None:
    stream = client.result(client.post("/jmap/", bytes(1_000_000)))
    assert stream.status == "400"
    assert b"maxSizeRequest" in stream.octets
    assert client.result(client.open("GET", "/.well-known/jmap")).status == "200"


def test_a_body_that_does_not_come_is_not_waited_for(client: Client) -> None:
    stream = client.result(client.open("POST", "/jmap/", ("content-type", "application/json"), end=False))
    assert stream.status == "408"


@pytest.mark.parametrize("how", ["leaves", "ends its side"])
@pytest.mark.parametrize("body", [b"1", b"slow"])
def test_a_peer_that_goes_before_its_answer_leaves_nothing(client: Client, site: Site, body: bytes, how: str) -> None:
    client.post("/jmap/", body)
    if how == "leaves":
        client.socket.close()
    else:
        client.socket.shutdown(socket.SHUT_WR)
    until(lambda: site.loop.tasks() == 0)


def test_a_peer_that_leaves_within_a_request_leaves_nothing(client: Client, site: Site) -> None:
    client.open("POST", "/jmap/", ("content-type", "application/json"), end=False)
    client.socket.close()
    until(lambda: site.loop.tasks() == 0)


def test_a_peer_that_opens_no_window_is_cut_off(site: Site) -> None:
    with site.socket() as connection:
        client = Client(connection)
        client.post("/jmap/", b"1")
        until(lambda: site.loop.tasks() > 0)
        until(lambda: site.loop.tasks() == 0)


def test_no_more_is_kept_for_a_peer_than_it_takes() -> None:
    async def fill() -> tuple[bool, bool]:
        outbox = Outbox(EventWrapper)
        filling = asyncio.create_task(outbox.push(bytes(100_000)))
        for most in (16_384, 0, 0):  # a peer whose window ends
            await asyncio.sleep(0)
            await outbox.pop(most)
        await asyncio.sleep(0)
        before = filling.done()
        await outbox.pop(100_000)
        await filling
        return before, outbox.complete

    assert asyncio.run(fill()) == (False, False)


def test_who_opens_no_window_counts_until_it_goes() -> None:
    engine = FakeEngine(lambda body: bytes(500_000) if body == b"1" else body, Limits(max_concurrent_requests=1))
    with serving_fakes(engine) as site:
        with site.socket() as connection:
            client = Client(connection)
            number = client.post("/jmap/", b"1")
            while not client.streams[number].headers:
                client.receive()
            assert b"maxConcurrentRequests" in site.call().octets
        until(lambda: site.call().status == 200)


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize(
    "head",
    [
        pytest.param([(":method", "GET"), (":path", "/\u00e9"), (":scheme", "http")], id="a path beyond ASCII"),
        pytest.param([(":method", "G\u00e9T"), (":path", "/"), (":scheme", "http")], id="a method beyond ASCII"),
        pytest.param([(":method", "CONNECT")], id="CONNECT"),
        pytest.param(
            [(":method", "CONNECT"), (":path", "/"), (":scheme", "http"), (":protocol", "websocket")],
            id="CONNECT for a protocol",
        ),
    ],
)
def test_a_request_that_cannot_be_served_ends_no_other(client: Client, head: Headers, end: bool) -> None:
    other = client.open("POST", "/jmap/", ("content-type", "application/json"), end=False)
    number = client.h2.get_next_available_stream_id()
    client.h2.config.validate_outbound_headers = False
    client.h2.send_headers(number, [*head, (":authority", "x")], end_stream=end)
    client.streams[number] = Stream()
    client.flush()
    assert client.result(number).status == "400"
    client.h2.send_data(other, b"7", end_stream=True)
    client.flush()
    assert client.result(other).octets == b"7"


def test_a_request_that_cannot_be_served_may_be_taken_back(client: Client) -> None:
    number = client.h2.get_next_available_stream_id()
    client.h2.config.validate_outbound_headers = False
    client.h2.send_headers(number, [(":method", "CONNECT"), (":authority", "x")])
    client.h2.reset_stream(number)
    client.flush()
    assert client.result(client.open("GET", "/.well-known/jmap")).status == "200"


def test_an_upgrade_from_http_1_1_is_taken_up(site: Site) -> None:
    head = "GET /.well-known/jmap HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    octets = site.raw(f"{head}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n".encode(), end=True)
    assert octets.startswith(b"HTTP/1.1 101")


def test_an_answer_that_is_reset_waits_for_no_window() -> None:
    with serving_fakes(FakeEngine(lambda body: bytes(500_000))) as site, site.socket() as connection:
        client = Client(connection)
        numbers = [client.post("/jmap/", b"1") for _ in range(3)]
        while not all(client.streams[number].headers for number in numbers):
            client.receive()
        for number in numbers:
            client.h2.reset_stream(number)
        client.flush()
        until(lambda: site.loop.tasks() <= 2)  # those of the connection


def test_a_flood_of_resets_ends_its_own_connection_at_most(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with site.socket() as connection:
        client = Client(connection)
        head = [(":method", "POST"), (":path", "/jmap/"), (":scheme", "http"), (":authority", "x")]
        for _ in range(1500):
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, head)
            client.h2.reset_stream(number)
        with suppress(OSError):  # the server has had enough
            client.flush()
        assert site.ask("GET", "/.well-known/jmap").status == 200
    until(lambda: site.loop.tasks() == 0)
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_streams_that_are_reset_leave_nothing(client: Client) -> None:
    for _ in range(50):
        number = client.open("POST", "/jmap/", ("content-type", "application/json"), end=False)
        client.h2.reset_stream(number)
        client.flush()
    assert client.result(client.open("GET", "/.well-known/jmap")).status == "200"


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x", id="data of no stream"),
        pytest.param(b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff", id="headers that are none"),
        pytest.param(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", id="a window of nothing"),
        pytest.param(bytes(100_000), id="zeros"),
    ],
)
def test_frames_that_are_none_end_the_connection(client: Client, octets: bytes) -> None:
    client.socket.sendall(octets)
    number = client.h2.get_next_available_stream_id()
    client.streams[number] = Stream()
    try:
        client.result(number)
    except (ConnectionError, h2.exceptions.ProtocolError):
        return
    assert client.closed


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that speaks TLS."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    tls = TLS(folder / "both.pem", folder / "both.pem")
    listener = Listener("jmap", (("127.0.0.1", 0),), tls=tls)
    with serving_fakes(FakeEngine(), settings=HTTPSettings(timeouts=SHORT), listener=listener) as site:
        yield site
        until(lambda: site.loop.tasks() == 0)


def handshake(site: Site, authority: trustme.CA, *protocols: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(list(protocols))
    return context.wrap_socket(site.socket(), server_hostname="127.0.0.1")


def test_http2_is_spoken_with_who_knows_it(secure: Site, authority: trustme.CA) -> None:
    with handshake(secure, authority, "h2", "http/1.1") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        client = Client(connection)
        stream = client.result(client.open("GET", "/.well-known/jmap"))
    assert stream.octets == b'{"apiUrl":"https://x/jmap/"}'


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
def test_http_1_1_is_spoken_with_others(secure: Site, authority: trustme.CA, protocols: tuple[str, ...]) -> None:
    request = f"GET /.well-known/jmap HTTP/1.1\r\nHost: y\r\nAuthorization: {DEMO}\r\nConnection: close\r\n\r\n"
    with handshake(secure, authority, *protocols) as connection:
        connection.sendall(request.encode())
        octets = b"".join(iter(lambda: connection.recv(65536), b""))
    assert octets.endswith(b'{"apiUrl":"https://y/jmap/"}')


def test_who_speaks_no_tls_gets_no_answer(secure: Site) -> None:
    with suppress(ConnectionError):
        assert b"HTTP" not in secure.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_certificate_that_is_none_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("nothing")
    tls = TLS(tmp_path / "x.pem", tmp_path / "x.pem")
    with (
        pytest.raises(CannotListen, match="listener jmap: the certificate will not do"),
        serving_fakes(FakeEngine(), listener=Listener("jmap", (("127.0.0.1", 0),), tls=tls)),
    ):
        pass
