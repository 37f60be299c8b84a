"""Listeners do what they say: addresses of every kind, socket options, bounds, and who may come in."""

from __future__ import annotations

import errno
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jmaplite.config import Config, parse
from jmaplite.server import CannotServe, Server
from jmaplite.server.settings import listeners
from jmaplite.web import Listener, SocketOptions
from jmaplite.web.sockets import opened, prepare
from tests.web.fakes import FakeEngine
from tests.web.serving import CONFIG, DEMO, Loop, serving_fakes, until

REQUEST = f"GET /.well-known/jmap HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nConnection: close\r\n\r\n".encode()


def config(folder: Path, listener: str) -> Config:
    return parse(CONFIG.format(listener=listener, more=""), folder / "config.toml")


@contextmanager
def running(folder: Path, listener: str) -> Iterator[Server]:
    """A server with more in its first listener, or more listeners."""
    with Loop() as loop:
        server = Server(config(folder, listener))
        loop.run(server.start())
        try:
            yield server
        finally:
            loop.run(server.stop())


def answer(connection: socket.socket, octets: bytes = REQUEST) -> bytes:
    """All that comes back."""
    with connection:
        connection.settimeout(30)
        connection.sendall(octets)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def unix(path: Path) -> socket.socket:
    """A connection to a Unix socket."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(path))
    return made


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def test_a_listener_has_several_addresses_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "jmap.sock"
    second = f'[server.listener.other]\nbind = ["127.0.0.1:0", "[::1]:0", "unix:{path}"]'
    with running(tmp_path, second) as server:
        ipv4, ipv6, local = server.urls["other"]
        assert local == f"unix:{path}"
        assert answer(socket.create_connection(("127.0.0.1", port_of(ipv4)))).startswith(b"HTTP/1.1 200")
        assert answer(socket.create_connection(("::1", port_of(ipv6)))).startswith(b"HTTP/1.1 200")
        assert answer(unix(path)).startswith(b"HTTP/1.1 200")


def test_the_file_of_a_unix_socket_has_its_mode_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "jmap.sock"
    more = f'[server.listener.other]\nbind = "unix:{path}"\n'
    with running(tmp_path, more):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()
    with running(tmp_path, more + 'socket.mode = "600"'):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_what_a_dead_server_left_of_its_unix_socket_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "jmap.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    with running(tmp_path, f'[server.listener.other]\nbind = "unix:{path}"'):
        assert answer(unix(path)).startswith(b"HTTP/1.1 200")


def test_a_unix_socket_in_use_and_a_file_that_is_none_are_left_alone(tmp_path: Path) -> None:
    taken, text = tmp_path / "taken.sock", tmp_path / "text"
    text.write_text("text")
    with socket.socket(socket.AF_UNIX) as living, Loop() as loop:
        living.bind(str(taken))
        living.listen()
        for path, why in ((taken, "in use"), (text, "is no socket")):
            server = Server(config(tmp_path, f'[server.listener.other]\nbind = "unix:{path}"'))
            with pytest.raises(CannotServe, match=f"listener other cannot bind unix:{path}: .*{why}"):
                loop.run(server.start())
    assert taken.is_socket()
    assert text.read_text() == "text"


def test_the_file_of_another_is_not_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "jmap.sock"
    first = opened(path, SocketOptions())[0]
    path.rename(tmp_path / "elsewhere")
    second = opened(path, SocketOptions())[0]
    first.close()
    assert path.is_socket()
    second.close()
    assert not path.exists()


def test_an_ipv6_address_for_all_takes_ipv4_along_unless_both_are_bound(tmp_path: Path) -> None:
    alone = config(tmp_path, '[server.listener.other]\nbind = "[::]:8080"')
    assert not listeners(alone)[1].options.v6_only
    beside = config(
        tmp_path, '[server.listener.other]\nbind = "[::]:8080"\n[server.listener.more]\nbind = "0.0.0.0:8080"'
    )
    assert listeners(beside)[1].options.v6_only
    for v6_only in (False, True):
        one = opened(("::", 0), SocketOptions(v6_only=v6_only))[0]
        try:
            port = one.inner.getsockname()[1]
            if v6_only:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port))
            else:
                socket.create_connection(("127.0.0.1", port)).close()
            socket.create_connection(("::1", port)).close()
        finally:
            one.close()


def test_sockets_are_set_as_they_should_be() -> None:
    wanted = SocketOptions(reuse_port=True, reuse_address=False, send_buffer=100_000, receive_buffer=50_000)
    first = opened(("127.0.0.1", 0), wanted)[0]
    try:
        port = first.inner.getsockname()[1]
        opened(("127.0.0.1", port), wanted)[0].close()
        assert first.inner.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= 100_000
        assert first.inner.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 50_000
        with pytest.raises(OSError, match="in use"):
            opened(("127.0.0.1", port), SocketOptions())
    finally:
        first.close()


def test_every_option_of_a_socket_comes_from_the_configuration(tmp_path: Path) -> None:
    more = """
    [server.listener.other]
    bind = "127.0.0.1:0"
    socket = { backlog = 7, reuse-addr = false, reuse-port = true, nodelay = false, send-buffer-size = "64k",
               recv-buffer-size = "32k", ttl = 40, tos = 16, mode = "600" }
    """.replace("\n               ", " ")
    wanted = SocketOptions(7, False, True, False, 65536, 32768, 40, 16, 0o600)
    assert listeners(config(tmp_path, more))[1].options == wanted


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_packets_are_marked_and_live_as_they_should(address: str) -> None:
    options = SocketOptions(nodelay=False, ttl=40, tos=16)
    listening = opened((address, 0), options)[0]
    try:
        with socket.create_connection(listening.inner.getsockname()[:2]), listening.inner.accept()[0] as connection:
            prepare(connection, options)
            of_ipv6 = [(socket.IPV6_UNICAST_HOPS, 40), (socket.IPV6_TCLASS, 16)]
            of_ipv4 = [(socket.IP_TTL, 40), (socket.IP_TOS, 16)]
            level, wanted = (socket.IPPROTO_IPV6, of_ipv6) if ":" in address else (socket.IPPROTO_IP, of_ipv4)
            assert [connection.getsockopt(level, name) for name, _ in wanted] == [value for _, value in wanted]
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
    finally:
        listening.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_connections_are_counted_before_they_have_said_anything(loop: str, tmp_path: Path) -> None:
    factory = None if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    listener = Listener("jmap", (("127.0.0.1", 0),), max_connections=2)
    with serving_fakes(FakeEngine(), listener=listener, loop_factory=factory) as site:
        waiting = [site.socket(), site.socket()]
        with site.socket() as third:
            assert third.recv(1) == b""
        for one in waiting:
            one.close()
        until(lambda: site.loop.tasks() == 0)
        assert site.ask("GET", "/.well-known/jmap").status == 200


def test_whoever_waits_while_too_many_files_are_open_is_served_later(monkeypatch: pytest.MonkeyPatch) -> None:
    accept, failures = socket.socket.accept, [OSError(errno.EMFILE, "Too many open files")] * 2

    def short_of_files(listening: socket.socket) -> tuple[socket.socket, Any]:
        if failures:
            raise failures.pop()
        return accept(listening)

    monkeypatch.setattr("jmaplite.web.listening._PAUSE_SECONDS", 0.01)
    with serving_fakes(FakeEngine()) as site:
        monkeypatch.setattr(socket.socket, "accept", short_of_files)
        assert site.ask("GET", "/.well-known/jmap").status == 200
    assert not failures


@pytest.mark.parametrize("protocol", ["admin", "lmtp", "smtp", "managesieve"])
def test_a_listener_keeps_the_protocol_that_it_is_given(protocol: str, tmp_path: Path) -> None:
    parsed = config(tmp_path, f'[server.listener.other]\nbind = "127.0.0.1:0"\nprotocol = "{protocol}"')
    assert [(one.id, one.protocol) for one in listeners(parsed)] == [("jmap", "jmap"), ("other", protocol)]


def test_http_is_another_word_for_jmap(tmp_path: Path) -> None:
    parsed = config(tmp_path, '[server.listener.web]\nbind = "127.0.0.1:0"\nprotocol = "http"')
    assert [one.protocol for one in listeners(parsed)] == ["jmap", "jmap"]


def test_a_peer_at_a_unix_socket_is_from_loopback(tmp_path: Path) -> None:
    path = tmp_path / "jmap.sock"
    request = REQUEST.replace(b"Host: x", b"Host: x\r\nX-Forwarded-Host: a.example\r\nX-Forwarded-Proto: https")
    for trusted, url in (("127.0.0.0/8", b"https://a.example/"), ("10.0.0.0/8", b"http://x/")):
        more = f'[server.listener.other]\nbind = "unix:{path}"\nproxy.trusted-networks = "{trusted}"'
        with running(tmp_path, more):
            assert b'"apiUrl":"' + url in answer(unix(path), request)
