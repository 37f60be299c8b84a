"""Relaying over the real wire: what is said to the other server, and what is made of its answers."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from jmaplite.delivery.conversation import Host
from jmaplite.delivery.relay import Parcel, RelayEnds, Reply, in_one_line
from jmaplite.delivery.smarthosts import Smarthosts
from tests.delivery.sink import PATIENCE, Sink, sink

MESSAGE = b"From: a@here.example\r\nSubject: Hi\r\n\r\nHello\r\n.dot\r\n"


@contextmanager
def relaying(*hosts: Host) -> Iterator[Smarthosts]:
    relay = Smarthosts(hosts)
    try:
        yield relay
    finally:
        relay.stop()


def host(sink: Sink, **more: Any) -> Host:
    values = {"port": sink.port, "path": sink.path, "ourselves": "here.example", "timeout": 20.0, **more}
    return Host("localhost" if sink.path else "127.0.0.1", **values)


def parcel(*recipients: str, **more: Any) -> Parcel:
    values: dict[str, Any] = {"sender": "a@here.example", "parameters": {}, "octets": MESSAGE, **more}
    return Parcel(recipients=[(one, more.get("of_recipient", {})) for one in recipients or ("b@there.example",)],
                  **{name: value for name, value in values.items() if name != "of_recipient"})  # fmt: skip


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something holds within the patience of a test."""
    never, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        never.wait(0.01)
    return True


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server, and of a client that trusts it."""
    ca = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    ca.configure_trust(client)
    return server, client


def test_a_message_goes_in_one_transaction_and_each_recipient_has_an_answer() -> None:
    def rcpt(address: str) -> str | None:
        return {"no": "550 5.1.1 no such user", "later": "451 4.2.1 busy"}.get(address.partition("@")[0])

    with sink(rcpt=rcpt) as there, relaying(host(there)) as relay:
        replies = relay.send(parcel("yes@x.example", "no@x.example", "later@x.example"))
        assert [one.text for one in replies] == [
            "250 2.1.5 <yes@x.example> ok",
            "550 5.1.1 no such user",
            "451 4.2.1 busy",
        ]
        (letter,) = there.letters
        assert (letter.sender, letter.recipients, letter.octets) == ("a@here.example", ["yes@x.example"], MESSAGE)
        assert there.commands == ["MAIL", "RCPT", "RCPT", "RCPT", "DATA"]


def test_a_refused_message_is_what_each_taken_recipient_is_answered() -> None:
    with sink(data=lambda: "554 5.7.1 spam") as there, relaying(host(there)) as relay:
        assert [one.text for one in relay.send(parcel("b@x.example", "c@x.example"))] == ["554 5.7.1 spam"] * 2
        there.data = lambda: None
        assert [one.text[:3] for one in relay.send(parcel())] == ["250"]


@contextmanager
def scripted(*answers: bytes) -> Iterator[int]:
    """The port of a server that greets, answers line after line as it is told, and closes; a 354 is for a message."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 there.example\r\n")
            said = b""
            for answer in answers:
                line = lines.readline()
                while said == GO_ON and line not in (b".\r\n", b""):
                    line = lines.readline()
                if not line:
                    break
                connection.sendall(answer)
                said = answer

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)
        thread = threading.Thread(target=serve, name="scripted")
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


YES, GO_ON = b"250 ok\r\n", b"354 go on\r\n"


@pytest.mark.parametrize("nonsense", [b"Yes!\r\n", b"2\r\n", b"150 x\r\n", b"999 x\r\n", b"-12 x\r\n"])
@pytest.mark.parametrize("before", [(), (YES,), (YES, YES), (YES, YES, GO_ON)], ids=["MAIL", "RCPT", "DATA", "end"])
def test_what_is_no_answer_takes_no_message(before: tuple[bytes, ...], nonsense: bytes) -> None:
    with scripted(YES, *before, nonsense) as port, relaying(Host("127.0.0.1", port, timeout=20.0)) as relay:
        assert relay.send(parcel())[0].text.startswith("451 4.")


@pytest.mark.parametrize("answer", [YES, b"251 ok\r\n"])
def test_a_yes_to_data_itself_takes_no_message(answer: bytes) -> None:
    """RFC 5321 §4.3.2: 354 comes first."""
    with scripted(YES, YES, YES, answer) as port, relaying(Host("127.0.0.1", port, timeout=20.0)) as relay:
        assert relay.send(parcel())[0].text.startswith("451 4.4.2 ")


def test_lmtp_that_ends_between_two_recipients_has_the_first() -> None:
    """Else it would have the message again."""
    script = [YES, YES, YES, GO_ON, YES, b"421 4.3.2 bye\r\n"]
    with scripted(*script) as port, relaying(Host("127.0.0.1", port, protocol="lmtp", timeout=20.0)) as relay:
        replies = relay.send(parcel("b@x.example", "c@x.example", "d@x.example"))
    assert [one.text for one in replies] == ["250 ok", "421 4.3.2 bye", "421 4.3.2 bye"]


def test_a_burst_takes_one_connection() -> None:
    with sink() as there, relaying(host(there)) as relay:
        for _ in range(5):
            assert relay.send(parcel())[0].text.startswith("250")
        assert (there.connections, len(there.letters)) == (1, 5)


def test_a_connection_that_ended_while_it_rested_is_made_anew() -> None:
    with sink() as first, relaying(host(first)) as relay:
        relay.send(parcel())
        (line,) = relay._lines
        assert line.idle
        for transport in [conversation._client.transport for _, conversation in line.idle]:
            assert transport is not None
            relay._running().call_soon_threadsafe(transport.close)
        assert relay.send(parcel())[0].text.startswith("250")
        assert len(first.letters) == 2


def test_the_next_server_is_taken_when_the_first_cannot_be_reached() -> None:
    with sink() as gone:
        pass
    with sink() as there, relaying(host(gone), host(there)) as relay:
        assert relay.send(parcel())[0].text.startswith("250")
    with relaying(host(gone)) as relay:
        assert relay.send(parcel())[0].text.startswith("451 4.4.1 The relay cannot be reached: ")


@pytest.mark.parametrize("implicit", [True, False])
def test_tls_is_spoken_and_the_certificate_checked(implicit: bool) -> None:
    server, client = contexts()
    more = {"implicit_tls": implicit, "starttls": "require"}
    with sink(tls=server, is_implicit=implicit) as there:
        with relaying(host(there, trust=client, **more)) as relay:
            assert relay.send(parcel())[0].text.startswith("250")
        with relaying(host(there, **more)) as relay:
            assert "certificate verify failed" in relay.send(parcel())[0].text
        with relaying(host(there, any_certificate=True, **more)) as relay:
            assert relay.send(parcel())[0].text.startswith("250")
        assert [one.is_private for one in there.letters] == [True, True]


def test_starttls_that_is_required_and_not_offered_stops_the_message() -> None:
    with sink() as there, relaying(host(there, starttls="require")) as relay:
        assert relay.send(parcel())[0].text == "451 4.7.4 The relay offers no STARTTLS"
    assert there.commands == []


def test_a_log_in_goes_over_tls_or_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = contexts()
    login = {"username": "ann", "password": "pw"}
    with sink(tls=server, password="pw") as there, relaying(host(there, trust=client, **login)) as relay:
        assert relay.send(parcel())[0].text.startswith("250")
        assert (there.letters[0].login, there.letters[0].is_private) == ("ann", True)
    with sink(password="pw") as there:
        with relaying(host(there, **login)) as relay:
            assert relay.send(parcel())[0].text.startswith("250")
        monkeypatch.setattr(Host, "is_here", False)
        with relaying(host(there, **login)) as relay:
            assert relay.send(parcel())[0].text.startswith("451 4.7.11 ")
        assert len(there.letters) == 1


def test_a_wrong_password_keeps_the_mail() -> None:
    with sink(password="pw") as there, relaying(host(there, username="ann", password="no")) as relay:
        assert relay.send(parcel())[0].text.startswith("451 4.3.5 The relay refuses us: 535 ")


def test_lmtp_over_a_unix_socket_gives_each_recipient_its_last_word(tmp_path: Path) -> None:
    answers = iter(["250 2.0.0 ok", "452 4.2.2 full"])
    with (
        sink(path=str(tmp_path / "s"), is_lmtp=True, data=lambda: next(answers)) as there,
        relaying(host(there, protocol="lmtp")) as relay,
    ):
        texts = [one.text for one in relay.send(parcel("b@x.example", "c@x.example"))]
    assert texts == ["250 2.1.5 <b@x.example> ok", "452 4.2.2 full"]


def test_parameters_go_where_they_are_offered_and_nowhere_else() -> None:
    of_sender = {"RET": "HDRS", "ENVID": "a+b c", "MT-PRIORITY": "3"}
    of_recipient = {"NOTIFY": "SUCCESS,FAILURE", "ORCPT": "rfc822;o=x@there.example"}
    with sink(offers=("DSN", "MT-PRIORITY")) as there, relaying(host(there)) as relay:
        (reply,) = relay.send(parcel(parameters=of_sender, of_recipient=of_recipient))
        assert reply.reports
        (letter,) = there.letters
        size = f"SIZE={len(MESSAGE)}"
        assert sorted(letter.options) == ["ENVID=A+2BB+20C", "MT-PRIORITY=3", "RET=HDRS", size]
        assert letter.recipient_options == [["NOTIFY=SUCCESS,FAILURE", "ORCPT=RFC822;O+3DX@THERE.EXAMPLE"]]
    with sink(offers=("DELIVERBY",)) as there, relaying(host(there)) as relay:
        relay.send(parcel(parameters={"BY": "120;R", "HOLDFOR": "1", "X-FLAG": None}, of_recipient={"X-A": "1"}))
        assert sorted(there.letters[0].options) == ["BY=120;R", size, "X-FLAG"]
        assert there.letters[0].recipient_options == [["X-A=1"]]
    with sink(offers=(), hides=("SIZE",)) as there, relaying(host(there)) as relay:
        (reply,) = relay.send(parcel(parameters=of_sender, of_recipient=of_recipient))
        assert (reply.reports, there.letters[0].options, there.letters[0].recipient_options) == (False, [], [[]])


@pytest.mark.parametrize(
    ("hides", "more", "answer"),
    [
        ("SMTPUTF8", {"sender": "ä@here.example"}, "553 5.6.7"),
        ("SMTPUTF8", {"header_is_ascii": False}, "554 5.6.9"),
        ("8BITMIME", {"body_is_ascii": False}, "554 5.6.3"),
        ("-", {"parameters": {"REQUIRETLS": None}}, "554 5.7.10"),
    ],
)
def test_what_the_other_server_cannot_take_is_refused(hides: str, more: dict[str, Any], answer: str) -> None:
    with sink(hides=(hides,)) as there, relaying(host(there)) as relay:
        assert relay.send(parcel(**more))[0].text.startswith(answer)
        assert there.letters == []


def test_tls_is_only_required_of_who_is_known_by_a_certificate() -> None:
    """RFC 8689 §4.2.1; and nobody is to lose a report because of it (§5)."""
    server, client = contexts()
    tagged = parcel(parameters={"REQUIRETLS": None})
    with sink(tls=server, offers=("REQUIRETLS",)) as there:
        with relaying(host(there)) as relay:
            assert relay.send(tagged)[0].text.startswith("554 5.7.10 ")
            assert "REQUIRETLS" not in relay.offers
            assert relay.send(parcel(parameters={"REQUIRETLS": None}, sender=""))[0].text.startswith("250")
        with relaying(host(there, trust=client)) as relay:
            assert relay.send(tagged)[0].text.startswith("250")
            assert "REQUIRETLS" in relay.offers
        assert ["REQUIRETLS" in one.options for one in there.letters] == [False, True]
        there.offers = ()
        with relaying(host(there, trust=client)) as relay:
            assert relay.send(tagged)[0].text.startswith("554 5.7.30 ")


def test_addresses_and_bodies_beyond_ascii_are_announced() -> None:
    with sink() as there, relaying(host(there)) as relay:
        assert relay.send(parcel("ü@x.example", body_is_ascii=False))[0].text.startswith("250")
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(there.letters[0].options)
        assert there.letters[0].recipients == ["ü@x.example"]


def test_the_null_sender_is_that() -> None:
    with sink() as there, relaying(host(there)) as relay:
        assert relay.send(parcel(sender=""))[0].text.startswith("250")
        assert there.letters[0].sender == ""


def test_what_is_offered_is_known_from_the_start_and_what_all_offer() -> None:
    with (
        sink(offers=("DSN", "REQUIRETLS")) as one,
        sink(offers=("DSN",)) as other,
        relaying(host(one), host(other)) as relay,
    ):
        relay.start()
        assert eventually(lambda: "DSN" in relay.offers and "REQUIRETLS" not in relay.offers)


@pytest.mark.parametrize("seconds", [0, 30])
def test_what_is_under_way_when_the_relay_ends_is_cut_off_after_its_time(seconds: int) -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def data() -> str | None:
        arrived.set()
        go_on.wait(PATIENCE if not seconds else 0.05)
        return None

    results: list[Reply | RelayEnds] = []
    with sink(data=data) as there:
        relay = Smarthosts([host(there)])

        def send() -> None:
            try:
                results.extend(relay.send(parcel()))
            except RelayEnds as error:
                results.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        assert arrived.wait(PATIENCE)
        relay.stop(seconds)
        thread.join()
        go_on.set()
    (result,) = results
    assert isinstance(result, Reply if seconds else RelayEnds)
    with pytest.raises(RelayEnds):
        relay.send(parcel())


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["5.7.1 Our system has detected that this message is", "5.7.1 likely spam."],
         "550 5.7.1 Our system has detected that this message is likely spam."),
        (["plain", "text"], "550 plain text"),
        ([], "550"),
        (["5.1.1 a\x00b\u2028"], "550 5.1.1 a?b"),
    ],
)  # fmt: skip
def test_an_answer_of_several_lines_is_written_in_one(lines: list[str], text: str) -> None:
    """RFC 8621 §7 smtpReply."""
    assert in_one_line(550, lines).rstrip("?\u2028") == text
