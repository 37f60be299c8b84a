"""Another configuration is taken up by a server that runs: what changes, what stays, and what is refused."""

from __future__ import annotations

import asyncio
import gc
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from jmaplite.config import Config, parse
from jmaplite.server import CannotServe, Server
from jmaplite.web import App
from tests.ports import free_port
from tests.server.load import Load
from tests.web.events import stream
from tests.web.serving import DEMO, Loop, Site, basic, descriptors, until
from tests.web.sockets import opened

CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"

CONFIG = """
{top}
[server.listener.jmap]
bind = {bind}
{listener}
[store]
path = "data"
[jmap]
directory = "memory"
event-source.throttle = "0s"
{more}
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "{user}"
secret = "{secret}"
{principals}
"""

ANY = '"127.0.0.1:0"'
DEFAULTS = {"top": "", "bind": ANY, "listener": "", "more": "", "user": "demo", "secret": "de:mo", "principals": ""}


@dataclass(frozen=True)
class Running(Site):
    """A server whose configuration can be changed."""

    server: Server
    folder: Path
    lines: list[str]

    def change(
        self,
        more: str = "",
        *,
        bind: str = ANY,
        listener: str = "",
        top: str = "",
        user: str = "demo",
        secret: str = "de:mo",
        principals: str = "",
    ) -> None:
        """Take up another configuration. Raises CannotServe."""
        values = {"top": top, "bind": bind, "listener": listener, "more": more, "user": user, "secret": secret}
        text = CONFIG.format(principals=principals, **values)
        self.loop.run(self.server.reload(parse(text, self.folder / "config.toml")))

    def at(self, listener: str, number: int = 0) -> Site:
        """The same server at another address."""
        port = urlsplit(self.server.urls[listener][number]).port
        assert port is not None
        return Site(port, self.loop)


@contextmanager
def running(folder: Path, **more: str) -> Iterator[Running]:
    lines: list[str] = []
    values = {**DEFAULTS, **more}
    with Loop() as loop:
        server = Server(parse(CONFIG.format(**values), folder / "config.toml"), announce=lines.append)
        loop.run(server.start())
        try:
            port = urlsplit(server.urls["jmap"][0]).port
            assert port is not None
            yield Running(port, loop, server, folder, lines)
        finally:
            loop.run(server.stop())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as site:
        yield site


@contextmanager
def kept(site: Site) -> Iterator[http.client.HTTPConnection]:
    """A connection that has served a request, and serves another at the end."""
    connection = site.connect()
    try:
        assert asked(connection) == 200
        yield connection
        assert asked(connection) == 200
    finally:
        connection.close()


def asked(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/.well-known/jmap", headers={"Authorization": DEMO})
    response = connection.getresponse()
    response.read()
    return response.status


def working() -> int:
    """How many threads there are that work on requests."""
    return sum(thread.name.startswith(("jmap", "log-in")) for thread in threading.enumerate())


def test_limits_are_those_of_the_new_one_and_the_session_says_so(site: Running) -> None:
    before = site.session
    site.change("[jmap.protocol]\nget.max-objects = 1")
    after = site.session
    assert after["capabilities"][CORE]["maxObjectsInGet"] == 1
    assert after["state"] != before["state"]
    answer = site.call(["Email/get", {"accountId": site.account, "ids": ["a", "b"]}, "0"], using=(MAIL,)).json
    assert answer["methodResponses"][0][1]["type"] == "requestTooLarge"
    assert answer["sessionState"] == after["state"]


def test_the_state_of_the_session_stays_if_nothing_in_it_changes(site: Running) -> None:
    before = site.session
    site.change('[jmap.http]\nheaders = ["X-Other: 1"]\n[log]\nlevel = "debug"')
    assert site.session == before


def test_headers_are_sent_at_once_on_connections_that_are_open(site: Running) -> None:
    with kept(site) as connection:
        site.change('[jmap.http]\nheaders = ["X-Other: 1"]')
        connection.request("GET", "/.well-known/jmap", headers={"Authorization": DEMO})
        response = connection.getresponse()
        response.read()
        assert response.headers["X-Other"] == "1"


def test_a_password_that_is_no_more_is_refused_at_once(site: Running) -> None:
    with kept(site) as connection:
        site.change(secret="other")
        assert asked(connection) == 401
        other = basic("demo", "other")
        assert site.ask("GET", "/.well-known/jmap", authorization=other).status == 200
        site.change()
    assert site.ask("GET", "/.well-known/jmap", authorization=other).status == 401


def test_who_is_new_may_come_in_and_who_has_gone_may_not(site: Running) -> None:
    other = basic("other", "pass")
    assert site.ask("GET", "/.well-known/jmap", authorization=other).status == 401
    site.change(principals='[[directory.memory.principals]]\nname = "other"\nsecret = "pass"')
    assert site.ask("GET", "/.well-known/jmap", authorization=other).status == 200
    site.change()
    assert site.ask("GET", "/.well-known/jmap", authorization=other).status == 401


def test_a_directory_stays_until_it_or_a_file_of_it_changes(tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    text = """
        server.listener.x.bind = "127.0.0.1:0"
        jmap.directory = "x"
        jmap.protocol.get.max-objects = {}
        directory.x = { type = "ldap", url = "ldaps://localhost", base-dn = "x", filter.name = "(uid=?)", CA }
        """.replace("CA", 'tls.ca = "ca.pem"')
    with Loop() as loop:

        def config(limit: int) -> Config:
            return parse(text.replace("{}", str(limit)).replace("\n        ", "\n"), tmp_path / "config.toml")

        server = Server(config(1))
        loop.run(server.start())
        first = server.parts.directory
        loop.run(server.reload(config(2)))
        assert server.parts.directory is first
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        loop.run(server.reload(config(2)))
        assert server.parts.directory is not first
        loop.run(server.stop())


def test_a_stream_goes_on_until_its_user_is_no_more(site: Running) -> None:
    def changed() -> None:
        account = site.account
        made = site.call(["Mailbox/set", {"accountId": account, "create": {"a": {"name": "x"}}}, "0"], using=(MAIL,))
        created = made.json["methodResponses"][0][1]["created"]["a"]["id"]
        site.call(["Mailbox/set", {"accountId": account, "destroy": [created]}, "0"], using=(MAIL,))

    with stream(site) as events:
        for limit in (1000, 2000, 3000):
            site.change(f"[jmap.protocol]\nupload.max-size = {limit}")
            changed()
            assert events.next().kind == "state"
        site.change(user="other")
        while events.block() is not None:
            pass


def test_a_web_socket_goes_by_the_new_one_until_its_user_is_no_more(site: Running) -> None:
    calls = [["Core/echo", {}, "0"], ["Core/echo", {}, "1"]]
    with opened(site) as client:
        assert client.ask(*calls)["@type"] == "Response"
        site.change("protocol.request.max-calls = 1")
        assert client.ask(*calls)["limit"] == "maxCallsInRequest"
        answer = client.ask(calls[0])
        assert answer["sessionState"] == site.session["state"]
        site.change(user="another")
        assert client.ended() == 1008


def test_a_stream_ends_with_the_password_that_it_was_opened_by(site: Running) -> None:
    with stream(site) as events, opened(site) as client:
        site.change(secret="other")
        while events.block() is not None:
            pass
        assert client.ended() == 1008


def test_streams_end_when_push_is_switched_off(site: Running) -> None:
    """Who comes back finds none; a WebSocket that was opened without push stays through other changes."""
    with stream(site) as events, opened(site) as client:
        site.change("push.enable = false")
        while events.block() is not None:
            pass
        assert client.ended() == 1001
    assert site.ask("GET", "/jmap/eventsource/?types=*&closeafter=no&ping=0").status == 404
    with opened(site) as client:
        site.change("push.enable = false\nprotocol.request.max-calls = 1")
        assert client.ask(["Core/echo", {}, "0"])["@type"] == "Response"


def test_an_upload_ends_as_it_began(site: Running) -> None:
    path = f"/jmap/upload/{site.account}/"
    with site.socket() as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Length: 2000\r\n\r\n"
        connection.sendall(head.encode() + bytes(1000))
        until(lambda: site.loop.tasks() > 1)
        site.change("[jmap.protocol]\nupload.max-size = 1000", secret="other")
        connection.sendall(bytes(1000))
        assert connection.recv(12) == b"HTTP/1.1 201"
    assert site.ask("POST", path, bytes(2000), authorization=basic("demo", "other")).status == 413


def test_what_was_made_for_a_configuration_goes_when_its_last_request_has_ended(site: Running) -> None:
    site.call()
    site.change()
    site.call()
    until(lambda: site.loop.tasks() == 0)
    before, threads = descriptors(), working()
    for _ in range(5):
        site.change()
        site.call()
    until(lambda: site.loop.tasks() == 0)
    until(lambda: working() <= threads)
    until(lambda: descriptors() <= before)


def test_a_stream_keeps_nothing_of_the_configurations_between(site: Running) -> None:
    def applications() -> int:
        gc.collect()
        return sum(isinstance(one, App) for one in gc.get_objects())

    with stream(site):
        before = applications()
        for limit in range(10):
            site.change(f"[jmap.protocol]\nupload.max-size = {1000 + limit}")
            site.call()
        # There is another one in use now, for JMAP and for administration, and one may be on its way.
        until(lambda: applications() <= before + 4)


def test_a_listener_is_added_and_leaves_again(site: Running) -> None:
    with kept(site):
        site.change(listener='[server.listener.other]\nbind = "127.0.0.1:0"')
        other = site.at("other")
        assert site.lines[-1].startswith("jmaplite: listener other on http://127.0.0.1:")
        assert other.call().status == 200
        idle = other.connect()
        assert asked(idle) == 200
        assert site.at("jmap").port == site.port
        site.change()
        assert site.lines[-1] == "jmaplite: listener other is no more"
        with pytest.raises(ConnectionRefusedError):
            other.call()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            asked(idle)
        idle.close()


def test_what_is_under_way_at_a_listener_that_leaves_ends_well(site: Running) -> None:
    site.change(listener='[server.listener.other]\nbind = "127.0.0.1:0"')
    other = site.at("other")
    with other.socket() as connection:
        head = f"POST /jmap/upload/{site.account}/ HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 2\r\n\r\nx")
        until(lambda: site.loop.tasks() > 1)
        site.change()
        connection.sendall(b"x")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 201")


def test_a_listener_is_moved_and_its_connections_stay(tmp_path: Path) -> None:
    with running(tmp_path, bind=f'"127.0.0.1:{free_port()}"') as site, kept(site):
        port = free_port()
        site.change(bind=f'"127.0.0.1:{port}"')
        assert site.at("jmap").port == port
        assert site.at("jmap").call().status == 200
        with pytest.raises(ConnectionRefusedError):
            site.call()


def test_an_address_may_widen_and_narrow_and_be_another_listeners(tmp_path: Path) -> None:
    """The new socket is bound while the old one still listens, so that nobody is refused in between."""
    port = free_port()
    one, every = f'"127.0.0.1:{port}"', f'"0.0.0.0:{port}"'
    with running(tmp_path, bind=one) as site, kept(site):
        for bind in (every, one, f"[{one}, {ANY}]", f"[{ANY}, {every}]", one):
            site.change(bind=bind)
            assert site.call().status == 200
        site.change(listener=f"[server.listener.second]\nbind = {every}")
        assert site.call().status == 200
        site.change(bind=every)
        assert site.call().status == 200
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", port))


def test_an_address_that_is_taken_refuses_the_whole_change(site: Running) -> None:
    with kept(site), socket.create_server(("127.0.0.1", 0)) as taken:
        port, before = taken.getsockname()[1], descriptors()
        second = f'[server.listener.second]\nbind = ["127.0.0.1:0", "127.0.0.1:{port}"]'
        with pytest.raises(CannotServe, match=rf"listener second cannot bind 127\.0\.0\.1:{port}: .*in use"):
            site.change(listener=second, secret="other")
        assert site.server.urls.keys() == {"jmap"}
        until(lambda: descriptors() <= before)


def test_an_address_of_our_own_that_stays_is_taken_as_well(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, bind=f'"127.0.0.1:{port}"') as site, kept(site):
        with pytest.raises(CannotServe, match="in use"):
            site.change(bind=f'"127.0.0.1:{port}"', listener=f'[server.listener.second]\nbind = "localhost:{port}"')
        site.change()


def test_unix_sockets_come_and_go(site: Running, tmp_path: Path) -> None:
    for name in ("one.sock", "two.sock"):
        site.change(listener=f'[server.listener.local]\nbind = "unix:{name}"')
        assert [path.name for path in tmp_path.glob("*.sock")] == [name]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(tmp_path / "two.sock"))
    site.change()
    assert list(tmp_path.glob("*.sock")) == []


def test_tokens_and_groups_follow(site: Running) -> None:
    hashed = "sha256:9f735e0df9a1ddc702bf0a1a7b83033f9f7153a00c29de82cedadc9957289b05"
    group = '[[directory.memory.principals]]\nname = "team"\ntype = "group"'
    assert site.ask("GET", "/.well-known/jmap", authorization="Bearer testpassword").status == 401
    site.change(principals=f'tokens = "{hashed}"\nmember-of = "team"\n{group}')
    told = site.ask("GET", "/.well-known/jmap", authorization="Bearer testpassword").json
    assert sorted(about["name"] for about in told["accounts"].values()) == ["demo", "team"]
    site.change()
    assert site.ask("GET", "/.well-known/jmap", authorization="Bearer testpassword").status == 401


def test_ten_changes_under_load_fail_no_request_and_drop_no_stream(site: Running) -> None:
    with stream(site) as events, Load(site, clients=3) as load:
        for number in range(10):
            seen = load.answered
            kinds = [f"[jmap.protocol]\nupload.max-size = {1_000_000 + number}", "[log]\nlevel = 'debug'"]
            headers = f'[jmap.http]\nheaders = ["X-Number: {number}"]\n'
            second = f"[server.listener.n{number}]\nbind = {ANY}"
            site.change(headers + kinds[number % 2], listener=second)
            assert site.ask("GET", "/.well-known/jmap").header("x-number") == str(number)
            with suppress(KeyError):
                assert site.at(f"n{number}").call().status == 200
            until(lambda seen=seen: load.answered > seen + 3)  # type: ignore[misc]
        site.call(["Mailbox/set", {"accountId": site.account, "create": {"a": {"name": "x"}}}, "0"], using=(MAIL,))
        assert events.next().kind == "state"
    assert load.failures == []


def test_several_changes_at_once_are_taken_up_one_after_the_other(site: Running) -> None:
    config = parse(CONFIG.format(**{**DEFAULTS, "secret": "x"}), site.folder / "config.toml")

    async def both() -> None:
        await asyncio.gather(*(site.server.reload(config) for _ in range(3)))

    site.loop.run(both())
    assert site.ask("GET", "/.well-known/jmap", authorization=basic("demo", "x")).status == 200
