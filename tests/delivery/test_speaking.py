"""What is said on connections for mail, by peers that are odd, hostile, or gone (RFC 5321, RFC 2033)."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from jmaplite.delivery import receiving, replies, speaking
from jmaplite.delivery.incoming import Incoming
from jmaplite.delivery.paths import is_taken, path, refused_sender
from jmaplite.delivery.trace import brought_by
from tests.delivery.conftest import Mail, started
from tests.delivery.test_receiving import MESSAGE, talk
from tests.web.serving import LoopFactory, until

BEGIN = (b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<ann@example.org>", b"RCPT TO:<bob@example.org>")
TEXT = (b"Subject: x", b"", b"y", b".")


COMMANDS = [
    (b"MAIL FROM:<@relay.example,@[IPv6:::1]:x@example.net>", "250"),
    (b'MAIL FROM:<"a b"@example.net>', "250"),
    (b"MAIL FROM:<x@[127.0.0.1]>", "250"),
    (b"MAIL FROM:<x..y.@docomo.example>", "250"),
    (b"MAIL FROM:<" + b"v" * 200 + b"=x@my_host.example>", "250"),
    (b"mail from: <x@example.net> body=8bitmime size=10", "250"),
    (b"MAIL FROM:<x@example.net> SIZE=100000", "250"),
    (b"MAIL FROM:<x@example.net> SIZE=100001", "552 5.3.4"),
    (b"MAIL FROM:<x@example.net> SIZE=" + "²".encode(), "501 5.5.4"),
    (b"MAIL FROM:<x@example.net> SIZE=" + b"9" * 1900, "501 5.5.4"),
    (b"MAIL FROM:<x@example.net> SIZE=1 SIZE=2", "501 5.5.4"),
    (b"MAIL FROM:<x@example.net> BODY=BINARYMIME", "501 5.5.4"),
    (b"MAIL FROM:<x@example.net> SMTPUTF8=1", "501 5.5.4"),
    (b"MAIL FROM:<x@example.net> RET=HDRS ENVID=1", "555 5.5.4"),
    (b"MAIL FROM:<x@example.net> MT-PRIORITY=3", "555 5.5.4"),
    ("MAIL FROM:<jürgen@example.net>".encode(), "553 5.6.7"),
    ("MAIL FROM:<jürgen@example.net> SMTPUTF8".encode(), "250"),
    (b"MAIL FROM:<\xff@example.net> SMTPUTF8", "553 5.1.7"),
    (b"MAIL FROM:<x\0@example.net>", "553 5.1.7"),
    (b"MAIL FROM:<" + b"(" * 900 + b"@example.net>", "553 5.1.7"),
    (b"MAIL FROM:<x@example.net>\rRCPT", "501 5.5.4"),
    (b"MAIL FROM:<x@example.net", "501 5.5.4"),
    (b"MAIL TO:<x@example.net>", "501 5.5.4"),
    (b"MAIL", "501 5.5.4"),
    (b"VRFY \xff", "252 2.5.0"),
    (b"VRFY", "501 5.5.4"),
    (b"EXPN list", "502 5.5.1"),
    (b"HELP \xff", "214 2.0.0"),
    (b"STARTTLS", "454 4.7.0"),
    (b"DATA", "503 5.5.1"),
    (b"RCPT TO:<ann@example.org>", "503 5.5.1"),
    (b"NOOP " + b"x" * 3000, "500 5.5.2"),
    (b"NOOP " + b"x" * 200_000, "500 5.5.2"),
    (b"", "500 5.5.2"),
    (b"\xff\xfe", "500 5.5.2"),
]

RECIPIENTS = [
    (b"<@relay.example:ann@example.org>", "250 2.1.5"),
    (b'<"ann"@EXAMPLE.org>', "250 2.1.5"),
    (b"<ann@example.org> NOTIFY=NEVER ORCPT=rfc822;ann@example.org", "555 5.5.4"),
    ("<änn@example.org>".encode(), "553 5.6.7"),
    (b"<>", "553 5.1.3"),
    (b"<Postmaster>", "550"),
    (b"<ann@example.org", "501 5.5.4"),
    (b"<ann@[127.0.0.1]>", "550"),
]


def test_what_is_said_has_its_answer(mail: Mail) -> None:
    for said, answer in COMMANDS:
        answers = talk(mail, b"LHLO x", said, b"RSET")
        assert answers[-3].startswith(answer), (said, answers)
        assert [one[:9] for one in answers[-2:]] == ["250 2.0.0", "221 2.0.0"], said


def test_a_recipient_is_read_as_the_rfc_has_it(mail: Mail) -> None:
    for recipient, answer in RECIPIENTS:
        assert talk(mail, b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:" + recipient)[-2].startswith(answer), recipient


@pytest.mark.parametrize("domain", ["mx.example.org", "example.org"])
def test_postmaster_needs_no_domain(tmp_path: Path, domain: str) -> None:
    """RFC 5321 §4.5.1."""
    more = f'[[directory.memory.principals]]\nname = "post"\nemail = "postmaster@{domain}"'
    for mail in started(tmp_path, more=more):
        assert talk(mail, *BEGIN[:2], b"RCPT TO:<PostMaster>")[-2].startswith("250 2.1.5")


def test_greetings_have_no_status_codes(mail: Mail) -> None:
    """RFC 2034 §3."""
    assert talk(mail, b"HELO x", name="smtp")[1] == "250 mx.example.org"
    assert all("2.0.0" not in one for one in talk(mail, b"EHLO x", name="smtp")[1:-1])


def test_parameters_are_for_who_said_ehlo(mail: Mail) -> None:
    assert talk(mail, b"HELO x", b"MAIL FROM:<> SIZE=1", name="smtp")[-2].startswith("555")


def test_rset_and_a_second_greeting_forget_the_envelope(mail: Mail) -> None:
    for forget in (b"RSET", b"LHLO again"):
        assert talk(mail, *BEGIN, forget, b"DATA")[-2].startswith("503")
        assert talk(mail, *BEGIN, forget, *BEGIN[1:], b"DATA", *TEXT)[-2].startswith("250")


def test_a_second_sender_is_refused_and_the_first_stays(mail: Mail) -> None:
    answers = talk(mail, *BEGIN, b"MAIL FROM:<other@example.net>", b"DATA", *TEXT)
    assert [one[:3] for one in answers[-5:]] == ["503", "354", "250", "250", "221"]
    assert mail.emails()[0].startswith(b"Return-Path: <>")


def test_a_recipient_said_twice_is_answered_twice(mail: Mail) -> None:
    answers = talk(mail, *BEGIN[:3], BEGIN[2], b"DATA", *TEXT)
    assert [one[:3] for one in answers[-4:]] == ["354", "250", "250", "221"]
    assert len(mail.emails()) == 1


def test_what_fails_by_a_bug_is_answered_for_each_recipient(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the peer takes the answer to its next command for that of its second recipient."""

    def fails(*_: Any) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(Incoming, "deliver", fails)
    answers = talk(mail, *BEGIN, b"DATA", *TEXT, *BEGIN[1:2])
    assert [one[:9] for one in answers[-5:]] == ["354 End d", "451 4.3.0", "451 4.3.0", "250 2.1.0", "221 2.0.0"]


def test_dots_are_taken_off_again(mail: Mail) -> None:
    texts = (b"", b".", b"..", b".x", b"a\r\n.b\r\n..c", b"\r\n\r\n", b"\r\n.\n", b"a\n.\r\nb")
    for text in texts:
        message = text + b"\r\n" if text else b""
        stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
        with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer:
            peer.sendall(b"".join(line + b"\r\n" for line in (*BEGIN[:3], b"DATA")) + stuffed + b".\r\nQUIT\r\n")
            assert [line[:3] for line in peer.makefile("rb")][-2:] == [b"250", b"221"]
        assert mail.emails()[-1].endswith(b"\r\n" + message)
    assert len(mail.emails()) == len(texts)


def test_a_message_is_the_same_however_it_is_cut(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the pieces end, with lines of any length, and with commands right behind it."""
    monkeypatch.setattr(speaking.SMTPSpeaker, "line_length_limit", 64)
    for size in range(50, 75):
        message = b"Subject: %d\r\n\r\n" % size + b"." * size + b"\r\n" + b"x\r\n" * 30
        with mail.lmtp() as peer:
            peer.sendmail("x@example.net", ["ann@example.org"], message)
    found = mail.emails()
    assert [one[one.index(b"Subject") :] for one in found] == [
        b"Subject: %d\r\n\r\n" % size + b"." * size + b"\r\n" + b"x\r\n" * 30 for size in range(50, 75)
    ]


def test_neither_cr_nor_lf_alone_ends_a_message(mail: Mail) -> None:
    for end in (b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\0\r\n", b"\r\r\n.\n\r\n"):
        inside = b"y" + end + b"MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\r\nsmuggled"
        answers = talk(mail, *BEGIN[:3], b"DATA", b"Subject: x", b"", inside, b".")
        assert [one[:3] for one in answers[-3:]] == ["354", "250", "221"], end
    assert mail.emails("bob") == []


def test_a_size_is_that_of_the_message_without_added_dots(mail: Mail) -> None:
    line = b"." * 98 + b"\r\n"
    for count, code in ((999, "250"), (1001, "552")):
        lines = [b"." + line[:-2]] * count
        assert talk(mail, *BEGIN[:3], b"DATA", *lines, b".")[-2][:3] == code


def test_a_line_may_be_as_long_as_a_message(mail: Mail) -> None:
    assert talk(mail, *BEGIN[:3], b"DATA", b"Subject: x", b"", b"\0\xff" * 40_000, b".")[-2].startswith("250")


def test_there_is_an_end_to_what_is_held_in_memory(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "HELD_OCTETS", 0)
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as first:
        first.sendall(b"".join(line + b"\r\n" for line in (*BEGIN, b"DATA")))
        with first.makefile("rb") as heard:
            while not heard.readline().startswith(b"354"):
                pass
            floor = mail.server._listening["lmtp"]._receiving  # type: ignore[union-attr]
            mail.loop.run(_in_loop(lambda: setattr(floor, "_held", 10_000_000)))
            assert talk(mail, *BEGIN, b"DATA")[-2].startswith("452 4.3.1")
            first.sendall(b"x" * 1000 + b"\r\n.\r\n")
            assert [heard.readline()[:9] for _ in range(2)] == [b"452 4.3.1"] * 2
            mail.loop.run(_in_loop(lambda: setattr(floor, "_held", 0)))
    assert talk(mail, *BEGIN, b"DATA", *TEXT)[-2].startswith("250")
    assert floor._held == 0


async def _in_loop(work: Callable[[], Any]) -> None:
    work()


def connections(mail: Mail, name: str = "smtp") -> int:
    return mail.server._listening[name].connections


def test_who_is_too_slow_is_told_so(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "IDLE_SECONDS", 0.05)
    for said in (b"", b"NOO", b"\r\n".join((*BEGIN, b"DATA", b"half"))):
        with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer:
            peer.sendall(said)
            with peer.makefile("rb") as heard:
                assert heard.readlines()[-1].startswith(b"421 4.4.2")
    until(lambda: connections(mail, "lmtp") == 0)
    assert mail.emails() == []


def test_a_message_that_never_ends_is_cut_off(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "LONGEST_SECONDS", 0.0)
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer:
        peer.sendall(b"\r\n".join((*BEGIN, b"DATA", b"half")))
        with peer.makefile("rb") as heard:
            assert heard.readlines()[-1].startswith(b"421 4.4.2")


def test_who_waits_for_a_delivery_is_not_idle(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "IDLE_SECONDS", 0.2)
    deliver = Incoming.deliver

    def slow(*arguments: Any) -> list[str]:
        threading.Event().wait(0.5)
        return deliver(*arguments)

    monkeypatch.setattr(Incoming, "deliver", slow)
    assert talk(mail, *BEGIN, b"DATA", *TEXT)[-2].startswith("250")


def test_there_are_only_so_many_connections(tmp_path: Path, factory: LoopFactory | None) -> None:
    for mail in started(tmp_path, factory, tls="max-connections = 2"):
        port = mail.port("smtp")
        with mail.smtp(), mail.smtp(), socket.create_connection(("127.0.0.1", port), timeout=30) as third:
            assert third.recv(1000).startswith(b"421 4.3.2")
        until(lambda: connections(mail) == 0)  # noqa: B023
        with mail.smtp() as peer:
            assert peer.noop()[0] == 250


def test_a_server_that_stops_waits_for_no_message_that_does_not_go_on(
    mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "LEAVING_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer, peer.makefile("rb") as heard:
        peer.sendall(b"".join(line + b"\r\n" for line in (*BEGIN, b"DATA", b"half of")))
        while not heard.readline().startswith(b"354"):
            pass
        mail.loop.run(mail.server.stop())
        assert heard.readline().startswith(b"421 4.4.2")


def test_a_server_that_stops_lets_messages_end_and_sends_others_away(
    mail: Mail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "LEAVING_SECONDS", 30.0)
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as busy, mail.smtp() as idle:
        assert idle.sock is not None
        busy.sendall(b"".join(line + b"\r\n" for line in (*BEGIN, b"DATA")))
        with busy.makefile("rb") as heard:
            while not heard.readline().startswith(b"354"):
                pass
            stopping = threading.Thread(target=lambda: mail.loop.run(mail.server.stop()))
            stopping.start()
            with idle.sock.makefile("rb") as farewell:
                assert farewell.readline().startswith(b"421 4.3.2")
                assert farewell.readline() == b""
            busy.sendall(b"".join(line + b"\r\n" for line in TEXT))
            assert [line[:9] for line in heard] == [b"250 2.1.5", b"250 2.1.5", b"421 4.3.2"]
        stopping.join()


@pytest.fixture
def secure(tmp_path: Path, factory: LoopFactory | None) -> Iterator[tuple[Mail, ssl.SSLContext]]:
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(part.bytes() for part in pair.cert_chain_pems))
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    more = (
        '[server.listener.smtps]\nprotocol = "smtp"\nbind = "127.0.0.1:0"\n'
        'tls.implicit = true\ntls.certificate = "own"\n'
        '[certificate.own]\ncert = "cert.pem"\nprivate-key = "key.pem"'
    )
    for mail in started(tmp_path, factory, tls='tls.certificate = "own"', more=more):
        yield mail, context


def test_tls_from_the_first_octet(secure: tuple[Mail, ssl.SSLContext]) -> None:
    mail, context = secure
    with smtplib.SMTP_SSL("localhost", mail.port("smtps"), context=context, local_hostname="x") as peer:
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE)
        assert "starttls" not in peer.esmtp_features
    with smtplib.SMTP_SSL("localhost", mail.port("smtps"), context=context, local_hostname="x") as peer:
        peer.helo()
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE + b"again\r\n")
    assert [one.split(b" with ")[1].split()[0] for one in mail.emails()] == [b"ESMTPS", b"SMTP"]


def test_tls_begins_once(secure: tuple[Mail, ssl.SSLContext]) -> None:
    mail, context = secure
    with smtplib.SMTP("localhost", mail.port("smtp"), local_hostname="x") as peer:
        peer.starttls(context=context)
        assert peer.docmd("STARTTLS")[0] == 503
        assert peer.mail("x@example.net")[0] == 503  # nothing of before is remembered, the greeting neither
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE * 300)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"this is no TLS\r\n" * 10])
def test_who_goes_within_the_handshake_leaves_nothing(
    secure: tuple[Mail, ssl.SSLContext], said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    mail, _ = secure
    for name in ("smtp", "lmtp", "smtps"):
        with socket.create_connection(("127.0.0.1", mail.port(name)), timeout=30) as peer:
            if name != "smtps":
                peer.sendall(b"STARTTLS\r\n")
                heard = b""
                while heard.count(b"220") < 2:
                    heard += peer.recv(1000)
            peer.sendall(said)
        until(lambda: connections(mail, name) == 0)  # noqa: B023
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("name", ["smtp", "lmtp"])
def test_a_connection_may_be_cut_anywhere(mail: Mail, name: str) -> None:
    hello = b"EHLO x" if name == "smtp" else b"LHLO x"
    said = b"".join(line + b"\r\n" for line in (hello, *BEGIN[1:3], b"DATA", *TEXT[:-1]))
    for cut in range(0, len(said), 7):
        with socket.create_connection(("127.0.0.1", mail.port(name)), timeout=30) as peer:
            peer.sendall(said[:cut])
            if cut % 2:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # by a reset
    until(lambda: connections(mail, name) == 0)
    assert mail.emails() == []


def test_a_hostile_name_writes_no_header(mail: Mail) -> None:
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer:
        lines = (b"LHLO x\rBcc: y\0 (\xff\xc3\xa9) <z>;", *BEGIN[1:3], b"DATA", *TEXT, b"QUIT")
        peer.sendall(b"".join(line + b"\r\n" for line in lines))
        assert peer.makefile("rb").readlines()[-2].startswith(b"250")
    header = mail.emails()[0].partition(b"Subject")[0]
    assert header.isascii()
    assert b"\r\nReceived: from x_Bcc:_y________z__ ([127.0.0.1])\r\n" in header


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (("2001:db8::1", 25, 0, 0), "x ([IPv6:2001:db8::1])"),
        (("fe80::1%eth0", 25, 0, 2), "x ([IPv6:fe80::1])"),
        (("::ffff:192.0.2.1", 25, 0, 0), "x ([192.0.2.1])"),
        ("", "x (unix socket)"),
    ],
)
def test_where_a_peer_is(address: Any, shown: str) -> None:
    assert brought_by("x", address) == shown


def test_one_answer_for_all_loses_nobody() -> None:
    """Had one of two recipients gone since he was asked for, a 250 would be the end of his copy."""
    assert replies.one(["250 2.1.5 a", "550 5.1.1 b"]).startswith("451")
    assert replies.one(["250 2.1.5 a", "451 4.3.0 b", "550 5.1.1 c"]).startswith("451")
    assert replies.one(["550 5.1.1 a", "550 5.1.1 b"]).startswith("550")
    assert replies.one(["250 2.1.5 a"] * 2).startswith("250")


@given(st.text(max_size=60) | st.text(alphabet='<>@:,"\\ a.=[]-S', max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    found = path("FROM:", f"FROM:{text}")
    if found is not None:
        address, parameters = found
        assert refused_sender(address, parameters, 100, is_extended=True) is not None or (
            not address or (is_taken(address) and address.isprintable() and not set(address) & set("<>\r\n"))
        )
