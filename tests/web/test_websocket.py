"""JMAP over WebSocket (RFC 8887)."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import wsproto.events as ev
from wsproto.connection import Connection, ConnectionType

from tests.web.serving import DEMO, TOKEN, Site, serving, until
from tests.web.sockets import CORE, MAIL, PATH, Client, Closed, opened

TICKET = "ticketUrl"
URN = "urn:ietf:params:jmap:websocket"
ERROR = "urn:ietf:params:jmap:error:"
NO_THROTTLE = 'web-socket.throttle = "0s"\nprotocol.request.max-size = 1000000'

HANDSHAKE = (
    f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nConnection: keep-alive, Upgrade\r\n"
    "Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: x, jmap\r\n\r\n"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), NO_THROTTLE) as site:
        yield site


def change(site: Site, name: str) -> str:
    """Make a Mailbox; answers the state afterwards."""
    create = {"accountId": site.account, "create": {"a": {"name": name}}}
    answer = site.call(["Mailbox/set", create, "0"], using=(MAIL,)).json["methodResponses"][0][1]
    assert answer["created"]
    state: str = answer["newState"]
    return state


def enable(client: Client, types: list[str] | None = None, **more: Any) -> None:
    client.tell({"@type": "WebSocketPushEnable", "dataTypes": types, **more})


def test_the_session_tells_of_it(site: Site) -> None:
    assert site.session["capabilities"][URN] == {"url": f"ws://127.0.0.1:{site.port}{PATH}", "supportsPush": True}


def test_a_request_is_answered(site: Site) -> None:
    with opened(site) as client:
        assert client.subprotocol == "jmap"
        answer = client.ask(["Core/echo", {"hello": True, "high": 5}, "b3ff"], id="R1")
        assert answer == {
            "@type": "Response",
            "requestId": "R1",
            "methodResponses": [["Core/echo", {"hello": True, "high": 5}, "b3ff"]],
            "sessionState": site.session["state"],
        }
        assert client.end() == 1000


def test_a_request_without_an_id_is_answered_without(site: Site) -> None:
    with opened(site) as client:
        assert "requestId" not in client.ask()


def test_ids_may_be_created_and_referred_to(site: Site) -> None:
    with opened(site) as client:
        answer = client.ask(["Core/echo", {}, "0"], createdIds={"a": "b"})
        assert answer["createdIds"] == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "kind", "request_id"),
    [
        ("The quick brown fox jumps\n over the lazy dog.", "notJSON", None),
        ("", "notJSON", None),
        ('{"@type":"Request","@type":"Request","id":"x"}', "notJSON", None),
        ("[]", "notRequest", None),
        ("null", "notRequest", None),
        ("{}", "notRequest", None),
        ('{"id":"x"}', "notRequest", "x"),
        ('{"@type":"Response","id":"x"}', "notRequest", "x"),
        ('{"@type":["Request"],"id":"x"}', "notRequest", "x"),
        ('{"@type":"Request","id":7,"using":[],"methodCalls":[]}', "notRequest", None),
        ('{"@type":"Request","id":"x"}', "notRequest", "x"),
        ('{"@type":"Request","id":"x","using":["urn:x"],"methodCalls":[]}', "unknownCapability", "x"),
        ('{"@type":"WebSocketPushEnable","id":"x","dataTypes":"Email"}', "notRequest", "x"),
        ('{"@type":"WebSocketPushEnable","dataTypes":[1]}', "notRequest", None),
        ('{"@type":"WebSocketPushEnable","dataTypes":null,"pushState":1}', "notRequest", None),
    ],
)
def test_what_is_no_request_is_told_so_and_the_next_is_answered(
    site: Site, text: str, kind: str, request_id: str | None
) -> None:
    with opened(site) as client:
        client.tell(text)
        error = client.hear()
        assert (error["@type"], error["type"], error["status"]) == ("RequestError", ERROR + kind, 400)
        assert error["requestId"] == request_id
        assert error["detail"]
        assert client.ask()["@type"] == "Response"


def test_a_limit_of_a_request_is_named(site: Site) -> None:
    with opened(site) as client:
        error = client.ask(*(["Core/echo", {}, "0"] for _ in range(17)), id="x")
        assert (error["type"], error["limit"]) == (ERROR + "limit", "maxCallsInRequest")
        assert error["requestId"] == "x"


@pytest.mark.parametrize("deflate", [False, True])
def test_a_message_that_is_too_large_is_told_so_and_ends_the_connection(site: Site, deflate: bool) -> None:
    with opened(site, deflate=deflate) as client:
        client.tell('{"x":"' + "x" * 1_000_001)
        error = client.hear()
        assert (error["@type"], error["type"], error["limit"]) == ("RequestError", ERROR + "limit", "maxSizeRequest")
        assert client.ended() == 1009


def test_a_message_of_just_the_largest_size_is_answered(site: Site) -> None:
    begin, end = (
        '{"@type":"Request","using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{"a":"',
        '"},"0"]]}',
    )
    for deflate in (False, True):
        with opened(site, deflate=deflate) as client:
            client.tell(begin + "x" * (1_000_000 - len(begin) - len(end)) + end)
            assert client.hear()["@type"] == "Response"


def test_what_unpacks_to_more_than_a_message_may_have_is_not_unpacked(site: Site) -> None:
    with opened(site, deflate=True) as client:
        client.tell("0" * 50_000_000)
        assert client.hear()["limit"] == "maxSizeRequest"
        assert client.ended() == 1009


def test_a_message_in_pieces_is_one_message(site: Site) -> None:
    text = json.dumps({"@type": "Request", "using": [CORE], "methodCalls": [["Core/echo", {"a": "äöü€"}, "0"]]})
    with opened(site) as client:
        for at, letter in enumerate(text):
            client.send(ev.TextMessage(letter, message_finished=at == len(text) - 1))
            if at % 50 == 0:
                client.send(ev.Ping(b"x"))
        assert client.hear()["methodResponses"][0][1] == {"a": "äöü€"}


def test_long_answers_are_packed_where_both_can_and_short_ones_are_not(site: Site) -> None:
    for size in (10, 100, 10_000, 100_000):
        for deflate in (False, True):
            with opened(site, deflate=deflate) as client:
                assert bool(client.extensions) is deflate
                for _ in range(2):
                    answer = client.ask(["Core/echo", {"a": "x" * size}, "0"])
                    assert answer["methodResponses"][0][1] == {"a": "x" * size}


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate; client_max_window_bits=x",
        "permessage-deflate; server_max_window_bits=8",
        "x-webkit",
        ",,",
        "\xff",
    ],
)
def test_extensions_that_are_not_understood_are_left_out(site: Site, offer: str) -> None:
    head = HANDSHAKE.replace("\r\n\r\n", f"\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n")
    with site.socket() as connection:
        connection.sendall(head.encode("latin-1"))
        answer = connection.recv(65536).lower()
    assert answer.startswith(b"http/1.1 101 " if offer != "\xff" else b"http/1.1 400 ")
    assert b"sec-websocket-extensions" not in answer


def test_subprotocols_may_be_asked_for_in_several_lines(site: Site) -> None:
    for several in ("jmap\r\nSec-WebSocket-Protocol: x", "x\r\nSec-WebSocket-Protocol: jmap"):
        with site.socket() as connection:
            connection.sendall(HANDSHAKE.replace("x, jmap", several).encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")


def test_several_requests_are_answered_as_they_are_done(site: Site) -> None:
    with opened(site) as client:
        for number in range(40):
            client.tell(
                {"@type": "Request", "id": str(number), "using": [CORE], "methodCalls": [["Core/echo", {}, "0"]]}
            )
        answers = [client.hear() for _ in range(40)]
    assert {answer["requestId"] for answer in answers} == {str(number) for number in range(40)}
    assert {answer["@type"] for answer in answers} == {"Response"}


def test_a_user_has_so_many_concurrent_requests_over_all_ways_together(site: Site) -> None:
    begin = f"POST /jmap/ HTTP/1.1\r\nHost: x\r\nAuthorization: {DEMO}\r\nContent-Type: application/json\r\n"
    with ExitStack() as held, opened(site) as client:
        for _ in range(4):
            connection = held.enter_context(site.socket())
            connection.sendall(begin.encode() + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")  # it is under way
        error = client.ask(id="x")
        assert (error["type"], error["limit"]) == (ERROR + "limit", "maxConcurrentRequests")
        assert error["requestId"] == "x"


def test_push_is_told_after_it_is_enabled_and_not_after_it_is_disabled(site: Site) -> None:
    with opened(site) as client:
        change(site, "before")
        enable(client)
        assert client.ask()["@type"] == "Response"
        state = change(site, "one")
        told = client.hear()
        assert told.keys() == {"@type", "changed", "pushState"}
        assert told["@type"] == "StateChange"
        assert told["changed"] == {site.account: {"Mailbox": state}}
        client.tell({"@type": "WebSocketPushDisable"})
        assert client.ask()["@type"] == "Response"
        change(site, "two")
        assert client.ask()["@type"] == "Response"
        enable(client, pushState=told["pushState"])
        assert client.hear()["changed"].keys() == {site.account}


def test_a_client_that_comes_back_is_told_what_it_has_missed(site: Site) -> None:
    with opened(site) as client:
        enable(client, ["Mailbox"])
        client.ask()
        change(site, "three")
        left_off = client.hear()["pushState"]
    state = change(site, "four")
    with opened(site) as client:
        enable(client, ["Mailbox"], pushState=left_off)
        assert client.hear()["changed"] == {site.account: {"Mailbox": state}}
    with opened(site) as client:
        enable(client, ["Email"], pushState=left_off)
        assert client.ask()["@type"] == "Response"


def test_a_push_state_that_never_was_is_answered_with_all_states(site: Site) -> None:
    with opened(site) as client:
        enable(client, pushState="aaa")
        assert client.hear()["changed"].keys() == site.session["accounts"].keys()


@pytest.mark.parametrize("types", [["Mailbox"] * 1001, ["x" * 101]])
def test_nobody_has_any_number_of_types_kept(site: Site, types: list[str]) -> None:
    with opened(site) as client:
        client.tell({"@type": "WebSocketPushEnable", "dataTypes": types, "id": "e"})
        error = client.hear()
        assert (error["type"], error["requestId"]) == (ERROR + "notRequest", "e")
        enable(client, ["Mailbox"] * 1000)
        assert client.ask()["@type"] == "Response"


def test_enabling_again_changes_what_is_told(site: Site) -> None:
    with opened(site) as client:
        enable(client, ["Email"])
        enable(client, ["Mailbox"])
        client.ask()
        change(site, "five")
        assert client.hear()["changed"][site.account].keys() == {"Mailbox"}


def test_a_page_may_show_a_ticket_or_a_token(site: Site) -> None:
    ticket = site.ask("POST", "/jmap/ticket/").json["ticket"]
    for query in (f"ticket={ticket}", f"access_token={TOKEN}"):
        with opened(site, f"{PATH}?{query}", None) as client:
            assert client.ask()["@type"] == "Response"
    with opened(site, f"{PATH}?ticket={ticket}", None) as client:
        assert client.status == 401


@pytest.mark.parametrize(
    ("arguments", "more", "status"),
    [
        ((PATH, None), {}, 401),
        ((PATH, "Basic eDp5"), {}, 401),
        ((PATH,), {"subprotocols": ()}, 400),
        ((PATH,), {"subprotocols": ("mqtt", "JMAP")}, 400),
        (("/jmap/",), {}, 404),
        (("/jmap/eventsource/",), {}, 404),
        ((PATH,), {"headers": (("Sec-Fetch-Site", "cross-site"),)}, 403),
    ],
)
def test_a_handshake_that_will_not_do_is_answered_with_a_problem(
    site: Site, arguments: Any, more: Any, status: int
) -> None:
    with opened(site, *arguments, **more) as client:
        assert client.status == status
        assert (b"content-type", b"application/problem+json") in client.headers
        assert json.loads(client.body)["status"] == status
        assert (b"www-authenticate" in dict(client.headers)) is (status == 401)


def test_a_request_without_an_upgrade_is_told_of_it(site: Site) -> None:
    answer = site.ask("GET", PATH)
    assert answer.status == 426
    assert answer.header("upgrade") == "websocket"


def test_another_version_is_told_which_one_there_is(site: Site) -> None:
    with site.socket() as connection:
        connection.sendall(
            f"GET {PATH} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
            "Sec-WebSocket-Version: 8\r\n\r\n".encode()
        )
        answer = connection.recv(65536).lower()
    assert answer.startswith(b"http/1.1 426 ")
    assert b"sec-websocket-version: 13" in answer


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x82\x80\0\0\0\0", 1003),
        (b"\x81\x00", 1002),
        (b"\xff\x80\0\0\0\0", 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x89\xfe\x00\x7e\0\0\0\0", 1002),
        (b"\x80\x80\0\0\0\0", 1002),
        (b"\x81\x82\0\0\0\0\xc3\x28", 1007),
        (b"\xc1\x80\0\0\0\0", 1002),
        (b"\x88\x82\0\0\0\0\x03\xe7", 1002),
    ],
)
def test_what_is_against_the_protocol_ends_the_connection_with_its_code(site: Site, octets: bytes, code: int) -> None:
    with opened(site) as client:
        client.socket.sendall(octets)
        assert client.ended() == code


def shaken(site: Site, target: str, key: str = "dGhlIHNhbXBsZSBub25jZQ==") -> bytes:
    """How the answer to a handshake begins."""
    handshake = (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt, jmap\r\n"
        f"Authorization: {DEMO}\r\n\r\n"
    )
    with site.socket() as connection:
        connection.sendall(handshake.encode())
        return connection.recv(65536)


@pytest.mark.parametrize("target", [PATH, PATH[:-1], f"http://x{PATH}"])
def test_the_path_may_be_written_as_for_any_request(site: Site, target: str) -> None:
    assert shaken(site, target).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "key", ["", "x", "dGhlIHNhbXBsZSBub25jZQ=", "c2hvcnQ=", "!" * 24, "dGhlIHNhbXBsZSBub25jZTEyMzQ1"]
)
def test_a_key_that_is_none_is_refused(site: Site, key: str) -> None:
    assert shaken(site, PATH, key).startswith(b"HTTP/1.1 400 ")


def test_frames_that_come_before_the_handshake_is_answered_wait_for_it(site: Site) -> None:
    text = b'{"@type":"Request","using":[],"methodCalls":[]}'
    frame = b"\x81" + bytes((0x80 | len(text),)) + b"\0\0\0\0" + text
    with site.socket() as connection:
        connection.sendall(HANDSHAKE.encode() + frame)
        octets = b""
        while b"methodResponses" not in octets:
            octets += connection.recv(65536)


def test_the_end_of_the_server_is_told(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        connection = site.socket()
        client = Client(connection)
    assert client.ended() == 1001
    connection.close()


def test_a_client_that_says_nothing_is_let_go(tmp_path: Path) -> None:
    with serving(tmp_path, 'web-socket.timeout = "200ms"\nweb-socket.heartbeat = "0s"') as site, opened(site) as client:
        assert client.ended() == 1001


def test_a_client_that_answers_pings_stays(tmp_path: Path) -> None:
    with serving(tmp_path, 'web-socket.timeout = "1s"\nweb-socket.heartbeat = "10ms"') as site, opened(site) as client:
        client.be_pinged(150)
        assert client.ask()["@type"] == "Response"


def test_where_it_is_switched_off_there_is_none(tmp_path: Path) -> None:
    with serving(tmp_path, 'web-socket.timeout = "0s"') as site:
        assert URN not in site.session["capabilities"]
        assert site.ask("GET", PATH).status == 404
        with opened(site) as client:
            assert client.status == 404


@pytest.mark.parametrize("off", ['web-socket.timeout = "0s"', "capabilities.websocket = false"])
def test_there_are_no_tickets_for_what_is_switched_off(tmp_path: Path, off: str) -> None:
    with serving(tmp_path, f"{off}\npush.enable = false") as site:
        assert TICKET not in site.session
    with serving(tmp_path / "other", "push.enable = false") as site:
        assert TICKET in site.session


def test_without_push_requests_are_answered_all_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, "push.enable = false") as site:
        assert site.session["capabilities"][URN]["supportsPush"] is False
        with opened(site) as client:
            enable(client)
            assert client.hear()["type"] == ERROR + "notRequest"
            assert client.ask()["@type"] == "Response"


def test_a_socket_that_was_cut_leaves_nothing(site: Site) -> None:
    for _ in range(3):
        with opened(site) as client:
            enable(client)
            client.tell({"@type": "Request", "using": [CORE], "methodCalls": [["Core/echo", {}, "0"]]})
    until(lambda: site.loop.tasks() == 0)


class Stream(Client):
    """A WebSocket on a stream of an HTTP/2 connection (RFC 8441)."""

    def __init__(self, connection: socket.socket, authorization: str | None = DEMO) -> None:
        self.socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.number = self.h2.get_next_available_stream_id()
        head = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", PATH),
            (":authority", "x"),
            ("sec-websocket-protocol", "jmap"),
            ("sec-websocket-version", "13"),
        ]
        self._flush()
        while h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL not in self.h2.remote_settings:
            self._receive()
        self.h2.send_headers(self.number, head + ([("authorization", authorization)] if authorization else []))
        self._flush()
        self.ws2 = Connection(ConnectionType.CLIENT)
        self._events: list[Any] = []
        self._text = ""
        self.answer: dict[str, str] = {}
        while not self.answer:
            self._receive()

    def send(self, event: ev.Event) -> None:
        octets = self.ws2.send(event)
        for begin in range(0, len(octets), 16384):
            piece = octets[begin : begin + 16384]
            while self.h2.local_flow_control_window(self.number) < len(piece):
                self._receive()
            self.h2.send_data(self.number, piece)
            self._flush()

    def _flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def _receive(self) -> None:
        octets = self.socket.recv(65536)
        if not octets:
            raise Closed(0)
        for event in self.h2.receive_data(octets):
            match event:
                case h2.events.ResponseReceived():
                    self.answer = dict(event.headers)  # type: ignore[arg-type]
                case h2.events.DataReceived():
                    self.h2.acknowledge_received_data(event.flow_controlled_length or 0, self.number)
                    if self.answer[":status"] == "200" and event.data:
                        self.ws2.receive_data(event.data)
                        self._events.extend(self.ws2.events())
                case h2.events.StreamEnded():
                    self._events.append(ev.CloseConnection(0))
        self._flush()

    def _event(self) -> Any:
        while not self._events:
            self._receive()
        return self._events.pop(0)


def test_it_goes_over_http2_too(site: Site) -> None:
    with site.socket() as connection:
        client = Stream(connection)
        assert client.answer[":status"] == "200"
        assert client.answer["sec-websocket-protocol"] == "jmap"
        for size in (1, 60_000):
            answer = client.ask(["Core/echo", {"a": "x" * size}, "0"], id="R1")
            assert answer["methodResponses"][0][1] == {"a": "x" * size}
        enable(client)
        client.ask()
        state = change(site, "over HTTP/2")
        assert client.hear()["changed"] == {site.account: {"Mailbox": state}}
        assert client.end() == 1000
        assert isinstance(client._event(), ev.CloseConnection)  # and the stream has ended


def test_over_http2_requests_do_not_keep_back_the_window_for_answers(site: Site) -> None:
    again = [["Core/echo", {"#a": {"resultOf": "0", "name": "Core/echo", "path": "/a"}}, str(n)] for n in range(1, 10)]
    calls = [["Core/echo", {"a": "x" * 20_000}, "0"], *again]
    with site.socket() as connection:
        client = Stream(connection)
        for n in range(20):
            client.tell({"@type": "Request", "id": str(n), "using": [CORE], "methodCalls": calls})
        client.send(ev.Ping())
        assert {client.hear()["requestId"] for _ in range(20)} == {str(n) for n in range(20)}
        assert client.end() == 1000


def test_over_http2_an_answer_that_comes_after_the_end_goes_nowhere(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with site.socket() as connection:
        client = Stream(connection)
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        request = {"@type": "Request", "using": [CORE], "methodCalls": [["Core/echo", {}, "0"]]}
        octets = client.ws2.send(ev.TextMessage(json.dumps(request))) + client.ws2.send(ev.BytesMessage(b"x"))
        client.h2.send_data(client.number, octets)
        client._flush()
        for _ in range(5):
            assert site.call(["Core/echo", {}, "0"]).status == 200
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65535})
        client._flush()
        assert client.ended() == 1003
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_over_http2_a_stream_that_is_ended_or_reset_is_over(site: Site) -> None:
    for reset in (False, True):
        with site.socket() as connection:
            client = Stream(connection)
            enable(client)
            client.ask()
            if reset:
                client.h2.reset_stream(client.number)
            else:
                client.h2.end_stream(client.number)
            client._flush()
            until(lambda: site.loop.tasks() <= 2)  # those of the connection
    until(lambda: site.loop.tasks() == 0)


def test_over_http2_a_handshake_that_will_not_do_is_answered_too(site: Site) -> None:
    with site.socket() as connection:
        assert Stream(connection, None).answer[":status"] == "401"
