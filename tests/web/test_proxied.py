"""The PROXY protocol and the headers of proxies: believed of those who are trusted, and of nobody else."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.web import TLS, HTTPSettings, Listener
from jmaplite.web.proxied import NotProxied, Proxied, parse_1, parse_2
from tests.web.fakes import FakeEngine, FakeVerifier
from tests.web.serving import DEMO, SHORT, Site, serving_fakes

HERE = (ipaddress.IPv4Network("127.0.0.0/8"),)
ELSEWHERE = (ipaddress.IPv4Network("10.0.0.0/8"),)
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
CLOSE = f"GET /.well-known/jmap HTTP/1.1\r\nAuthorization: {DEMO}\r\nConnection: close\r\n".encode()
NO_HOST = f"GET /.well-known/jmap HTTP/1.0\r\nAuthorization: {DEMO}\r\n\r\n".encode()
"""An old client's request: the session tells it the address that it connected to."""


def version_2(client: str, server: str, *, command: int = 0x21, more: bytes = b"") -> bytes:
    """A header of version 2."""
    source, target = (ipaddress.ip_address(one.rpartition(":")[0].strip("[]")) for one in (client, server))
    ports = struct.pack("!HH", *(int(one.rpartition(":")[2]) for one in (client, server)))
    octets = source.packed + target.packed + ports + more
    family = 0x11 if source.version == 4 else 0x21
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(octets)) + octets


def url(octets: bytes) -> str:
    """The beginning of the URLs in a session that came back."""
    assert re.match(rb"HTTP/1\.\d 200", octets), octets[:200]
    found = re.search(rb'"apiUrl":"(.*?)/jmap/"', octets)
    assert found is not None
    return found[1].decode()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def trusting(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A server behind a proxy, over an engine of fakes to which nobody can log in."""
    factory = None if request.param == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=HERE)
    with serving_fakes(FakeEngine(), listener=listener, loop_factory=factory) as site:
        yield site


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", "http://192.0.2.2:443"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 8443\r\n", "http://[2001:db8::2]:8443"),
        (version_2("192.0.2.1:1234", "192.0.2.2:443"), "http://192.0.2.2:443"),
        (version_2("[2001:db8::1]:1234", "[2001:db8::2]:8443"), "http://[2001:db8::2]:8443"),
        (version_2("1.2.3.4:1", "192.0.2.2:443", more=b"\x01\x00\x02h2\x20\x00\x05\x01\x00\x00\x00\x00"),
         "https://192.0.2.2:443"),
        (version_2("1.2.3.4:1", "192.0.2.2:443", more=b"\x20\x00\x05\x00\x00\x00\x00\x00"), "http://192.0.2.2:443"),
        (version_2("1.2.3.4:1", "1.1.1.1:443", command=0x20), "http://127.0.0.1:PORT"),
        (b"PROXY UNKNOWN\r\n", "http://127.0.0.1:PORT"),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", "http://127.0.0.1:PORT"),
        (b"", "http://127.0.0.1:PORT"),
    ],
)  # fmt: skip
def test_a_trusted_proxy_says_whom_it_speaks_for(trusting: Site, header: bytes, expected: str) -> None:
    assert url(trusting.raw(header + NO_HOST)).replace(str(trusting.port), "PORT") == expected


def test_a_header_may_come_octet_by_octet(trusting: Site) -> None:
    for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", version_2("192.0.2.1:1234", "192.0.2.2:443")):
        with trusting.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for octet in header + NO_HOST:
                connection.sendall(bytes([octet]))
            octets = b"".join(iter(lambda: connection.recv(65536), b""))
        assert url(octets) == "http://192.0.2.2:443"


@pytest.mark.parametrize(
    "octets",
    [
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 99999\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 x y 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\n",
        b"PROXY " + b"x" * 200,
        SIGNATURE + b"\x31\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x03" + bytes(3),
        SIGNATURE + b"\x21\x11\xff\xff" + bytes(65535),
    ],
)
def test_a_header_that_is_none_ends_the_connection(trusting: Site, octets: bytes) -> None:
    with suppress(ConnectionError):
        assert trusting.raw(octets + NO_HOST) == b""


def test_who_is_not_trusted_is_refused_with_its_header() -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=ELSEWHERE)
    with serving_fakes(FakeEngine(), listener=listener) as site:
        for header in (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", version_2("192.0.2.1:1", "192.0.2.2:2")):
            assert site.raw(header + NO_HOST).startswith(b"HTTP/1.1 400")


def test_a_proxy_that_says_nothing_is_not_waited_for() -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=HERE)
    with serving_fakes(FakeEngine(), settings=HTTPSettings(timeouts=SHORT), listener=listener) as site:
        for begun in (b"", b"PRO", b"PROXY TCP4", SIGNATURE[:5], SIGNATURE + b"\x21"):
            with site.socket() as connection:
                connection.sendall(begun)
                with suppress(ConnectionError):
                    assert connection.recv(1) == b""


def test_the_header_comes_before_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    tls = TLS(tmp_path / "both.pem", tmp_path / "both.pem")
    listener = Listener("jmap", (("127.0.0.1", 0),), tls=tls, trusted_networks=HERE)
    with serving_fakes(FakeEngine(), listener=listener) as site:
        for header, expected in (
            (version_2("192.0.2.1:1", "192.0.2.2:443"), "https://192.0.2.2:443"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", "https://192.0.2.2:443"),
            (b"", f"https://127.0.0.1:{site.port}"),
        ):
            plain = site.socket()
            plain.sendall(header)
            with context.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(NO_HOST)
                octets = b"".join(iter(lambda: connection.recv(65536), b""))
            assert url(octets) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("X-Forwarded-For: 192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: 6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("X-Forwarded-For: 192.0.2.7, 127.0.0.9", "192.0.2.7"),
        ("X-Forwarded-For: 127.0.0.8, 127.0.0.9", "127.0.0.8"),
        ("X-Forwarded-For: 192.0.2.7:4711", "192.0.2.7"),
        ("X-Forwarded-For: [2001:db8::7]:4711", "2001:db8::7"),
        ("X-Forwarded-For: unknown", "127.0.0.1"),
        ("X-Forwarded-For: 6.6.6.6, x\x7fy", "127.0.0.1"),
        ("X-Forwarded-For:", "127.0.0.1"),
        ("Forwarded: for=192.0.2.7", "192.0.2.7"),
        ('Forwarded: for=6.6.6.6, For="[2001:db8::7]:4711";proto=https', "2001:db8::7"),
        ("Forwarded: for=_hidden", "127.0.0.1"),
        ('Forwarded: for="192.0.2.7', "127.0.0.1"),
        ("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.7", "192.0.2.7"),
    ],
)
def test_the_peer_is_the_first_that_no_trusted_proxy_is(
    headers: str, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=HERE)
    verifier = FakeVerifier(cached=False, known=False)
    with serving_fakes(FakeEngine(), verifier, listener=listener) as site, caplog.at_level(logging.WARNING):
        answer = site.raw(CLOSE + b"Host: x\r\n" + headers.encode("latin-1") + b"\r\n\r\n")
    if b" 400 " in answer[:20]:
        assert "\x7f" in headers
        return
    assert answer.startswith(b"HTTP/1.1 401")
    assert [record.getMessage().rpartition(" ")[2] for record in caplog.records] == [expected]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Forwarded: proto=https;host=a.example", "https://a.example"),
        ('Forwarded: for=192.0.2.7;HOST="a.example:8443";Proto=HTTPS, proto=http', "https://a.example:8443"),
        ("Forwarded: proto=https;;", "http://x"),
        ("Forwarded: proto=https;host=a.example\r\nX-Forwarded-Proto: http", "http://x"),
    ],
)
def test_forwarded_says_how_a_request_was_made(trusting: Site, headers: str, expected: str) -> None:
    assert url(trusting.raw(CLOSE + b"Host: x\r\n" + headers.encode() + b"\r\n\r\n")) == expected


def test_a_host_in_forwarded_that_is_none_is_refused(trusting: Site) -> None:
    assert trusting.raw(CLOSE + b'Host: x\r\nForwarded: host="a b"\r\n\r\n').startswith(b"HTTP/1.1 400")


def test_headers_of_proxies_are_for_nothing_where_they_are_switched_off() -> None:
    listener = Listener("jmap", (("127.0.0.1", 0),), trusted_networks=HERE, forwarded=False)
    with serving_fakes(FakeEngine(), listener=listener) as site:
        assert url(site.raw(CLOSE + b"Host: x\r\nX-Forwarded-Host: a.example\r\n\r\n")) == "http://x"
        assert url(site.raw(b"PROXY TCP4 1.1.1.1 192.0.2.2 1 443\r\n" + NO_HOST)) == "http://192.0.2.2:443"


@given(st.binary(max_size=120))
def test_no_octets_fail_the_first_version(octets: bytes) -> None:
    try:
        found = parse_1(b"PROXY " + octets)
    except NotProxied:
        return
    assert found is None or isinstance(found, Proxied)


@given(st.integers(0, 255), st.sampled_from([0x11, 0x12, 0x21, 0x31, 0]), st.binary(max_size=80))
def test_no_octets_fail_the_second_version(command: int, family: int, octets: bytes) -> None:
    try:
        found = parse_2(command, family, octets)
    except NotProxied:
        return
    assert found is None or str(ipaddress.ip_address(found.client[0])) == found.client[0]


def test_a_proxy_that_goes_away_leaves_nothing(trusting: Site) -> None:
    threads = [threading.Thread(target=lambda: trusting.socket().close()) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trusting.ask("GET", "/.well-known/jmap").status == 200
