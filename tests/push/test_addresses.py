"""Where the server can be made to connect to, and where not (RFC 8620 §8.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.push.addresses import is_public, parse_url
from jmaplite.push.client import Answer, Client, Refused, SystemResolver, Unreachable
from tests.push.receiver import HOST, Receiver, on_loopback, receiving, trusting

PRIVATE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "192.0.0.1",
    "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "100.100.100.200",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "142.250.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_within_a_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(address)


@given(st.text(max_size=60))
def test_any_url_is_taken_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://push.example.com/{text}"):
        for allow_private in (False, True):
            try:
                target = parse_url(url, allow_private=allow_private)
            except ValueError:
                continue
            assert target.host
            assert target.secure or allow_private


def test_a_url_comes_apart() -> None:
    target = parse_url("https://Push.Example.com:8443/a/b?c=d", allow_private=False)
    assert (target.host, target.port, target.path) == ("push.example.com", 8443, "/a/b?c=d")
    assert (target.authority, target.origin) == ("push.example.com:8443", "https://push.example.com:8443")
    target = parse_url("https://[2606:4700::1111]?x", allow_private=False)
    assert (target.authority, target.path) == ("[2606:4700::1111]", "/?x")


@pytest.mark.parametrize("url", ["http://push.example.com/", "http://10.0.0.1/", "http://8.8.8.8/"])
def test_without_tls_it_goes_to_this_machine_at_most(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        parse_url(url, allow_private=True)
    assert not parse_url("http://localhost:1/", allow_private=True).secure
    with pytest.raises(ValueError, match="https"):
        parse_url("http://localhost:1/", allow_private=False)


class Names:
    """A resolver that says what it is told to, each time the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0)


def post(client: Client, url: str) -> int:
    return asyncio.run(client.post(url, [("TTL", "0")], b"{}")).status


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_into_a_network_is_not_followed(address: str) -> None:
    with pytest.raises(Refused):
        post(Client(Names([address]), timeout=20, tls=trusting()), "https://push.example.com/")


def test_the_name_is_looked_up_once_for_a_connection() -> None:
    """What it says the next moment (DNS rebinding) has no effect."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    with receiving() as receiver:
        assert post(Client(names, timeout=20, allow_private=True, tls=trusting()), receiver.url) == 201
    assert names.asked == [HOST]


def test_a_name_with_one_public_address_leads_there_only() -> None:
    tried = Client(Names(["127.0.0.1", "::1"]), timeout=20, tls=trusting())
    with receiving() as receiver:
        with pytest.raises(Refused):
            post(tried, receiver.url)
        assert receiver.pushes.empty()


def test_a_name_without_tls_that_does_not_lead_here_is_refused() -> None:
    with pytest.raises(Refused):
        post(Client(Names(["10.0.0.1"]), timeout=20, allow_private=True), "http://device.localhost:1/")


def test_a_certificate_must_be_for_the_name() -> None:
    with receiving("other.example.com") as receiver, pytest.raises(Unreachable, match="certificate"):
        post(Client(on_loopback, timeout=20, allow_private=True, tls=trusting()), receiver.url)


def test_redirections_are_not_followed(receiver: Receiver) -> None:
    receiver.answers.append((307, {"Location": receiver.url}))
    assert post(Client(on_loopback, timeout=20, allow_private=True, tls=trusting()), receiver.url) == 307
    receiver.next()
    assert receiver.pushes.empty()


def test_nobody_is_waited_for_longer_than_allowed(receiver: Receiver) -> None:
    receiver.held.clear()
    with pytest.raises(Unreachable, match="no answer"):
        post(Client(on_loopback, timeout=0.2, allow_private=True, tls=trusting()), receiver.url)


SHORT = [b"", b"HTTP/1.1 201", b"SSH-2.0-OpenSSH\r\n"]
HOSTILE = [
    *SHORT,
    b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    b"HTTP/1.1 201 Created\r\n" + b"X: " + b"x" * 100_000,
    b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * 10_000,
    b"\x00\xff" * 1000,
    b"HTTP/1.1 999999 x\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
]


def post_to(said: bytes) -> Answer:
    """What a client makes of a server that says something and waits until the client has gone."""

    async def run() -> Answer:
        done = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(said)
                if said in SHORT:
                    writer.write_eof()
                await reader.read()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            done.set()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = Client(on_loopback, timeout=20, allow_private=True)
            try:
                return await client.post(f"http://localhost:{port}/", [], b"{}")
            finally:
                await done.wait()

    return asyncio.run(run())


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_an_answer_that_is_none_is_an_error(said: bytes) -> None:
    with pytest.raises(Unreachable):
        post_to(said)


def test_the_body_of_an_answer_is_not_waited_for() -> None:
    head = b"HTTP/1.1 201 Created\r\nRetry-After: 5\r\nContent-Length: 1000000\r\n\r\n"
    found = post_to(b"HTTP/1.1 100 Continue\r\n\r\n" + head)
    assert (found.status, found.retry_after) == (201, "5")


def test_a_name_that_cannot_be_one_is_unreachable() -> None:
    for host in ("a..localhost", "x" * 64 + ".localhost"):
        with pytest.raises(Unreachable):
            asyncio.run(Client(SystemResolver(), timeout=20, allow_private=True).post(f"https://{host}/", [], b""))
