"""LMTP (RFC 2033) and SMTP (RFC 5321) from other servers, over the wire."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from jmaplite.core.errors import SetError
from jmaplite.delivery import filing
from jmaplite.store import StoreUnavailable
from tests.delivery.conftest import Mail, started
from tests.web.serving import LoopFactory

MESSAGE = b"From: x@example.net\r\nSubject: Hello\r\nMessage-ID: <1@example.net>\r\n\r\nText\r\n.dot\r\n"


def talk(mail: Mail, *lines: bytes, name: str = "lmtp") -> list[str]:
    """Say all lines at once (RFC 2920), and hear what comes until the peer ends."""
    with socket.create_connection(("127.0.0.1", mail.port(name)), timeout=30) as connection:
        connection.sendall(b"".join(line + b"\r\n" for line in (*lines, b"QUIT")))
        with connection.makefile("rb") as answers:
            return [line.decode().rstrip() for line in answers]


def bring(mail: Mail, sender: str, recipients: list[str], message: bytes = MESSAGE) -> list[str]:
    """Hand a message over by LMTP; answers the reply for each recipient."""
    begin = [b"LHLO peer.example", b"MAIL FROM:<%s>" % sender.encode()]
    rcpt = [b"RCPT TO:<%s>" % one.encode() for one in recipients]
    lines = [b"." + line if line.startswith(b".") else line for line in message.split(b"\r\n")[:-1]]
    return talk(mail, *begin, *rcpt, b"DATA", *lines, b".")[-1 - len(recipients) : -1]


def test_a_message_is_in_the_inbox_with_its_trace(mail: Mail) -> None:
    with mail.lmtp() as peer:
        assert peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE) == {}
    (stored,) = mail.emails()
    trace, rest = stored[: -len(MESSAGE)], stored[-len(MESSAGE) :]
    assert rest == MESSAGE
    lines = trace.decode().split("\r\n")
    assert lines[0] == "Return-Path: <x@example.net>"
    assert lines[1] == "Received: from peer.example ([127.0.0.1])"
    assert lines[2].startswith("\tby mx.example.org with LMTP id ")
    assert lines[3] == "\tfor <ann@example.org>;"


def test_each_recipient_has_an_answer_of_its_own(mail: Mail) -> None:
    data = [b"DATA", b"Subject: x", b"", b"y", b"."]
    recipients = [b"ann@example.org", b"tiny@example.org", b"nobody@example.org", b"bob@example.org"]
    big = [b"DATA", b"Subject: x", b"", b"y" * 600, b"."]
    begin = [b"LHLO peer", b"MAIL FROM:<x@example.net>", *(b"RCPT TO:<%s>" % one for one in recipients)]
    answers = talk(mail, *begin, *big)
    assert [answer[:9] for answer in answers[-5:-1]] == ["354 End d", "250 2.1.5", "452 4.2.2", "250 2.1.5"]
    assert [answer[:9] for answer in answers[-9:-5]] == ["250 2.1.5", "250 2.1.5", "550 5.1.1", "250 2.1.5"]
    assert (len(mail.emails("ann")), len(mail.emails("tiny")), len(mail.emails("bob"))) == (1, 0, 1)
    assert talk(mail, *begin, *data)[-2][:9] == "250 2.1.5"


def test_what_is_offered_has_status_codes_and_no_log_in(mail: Mail) -> None:
    with mail.smtp() as peer:
        peer.ehlo()
        offered = {"size", "8bitmime", "smtputf8", "pipelining", "chunking", "enhancedstatuscodes"}
        assert set(peer.esmtp_features) == offered
        assert peer.esmtp_features["size"] == "100000"
        for command in ("RSET", "NOOP", "FLY", "MAIL", "DATA", "AUTH PLAIN x", "VRFY ann"):
            code, text = peer.docmd(command)
            assert text[:1] == str(code)[:1].encode(), (command, code, text)
            assert text.split(b" ")[0].count(b".") == 2, (command, code, text)


def test_a_message_that_comes_again_is_not_filed_twice(mail: Mail) -> None:
    for _ in range(3):
        with mail.lmtp() as peer:
            peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE)
    assert len(mail.emails()) == 1
    with mail.lmtp() as peer:
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE + b"more\r\n")
    assert len(mail.emails()) == 2


@pytest.mark.parametrize("field", ["Date: Thu, 1 Jan 2026 00:00:00 +0000", "message-id: <1@x>", "Received: by x; now"])
def test_what_tells_nothing_of_itself_is_another_message_each_time(mail: Mail, field: str) -> None:
    """Such as `backup ok`, which a script sends every night."""
    for _ in range(2):
        bring(mail, "root@example.net", ["ann@example.org"], b"Subject: backup ok\r\n\r\n")
        bring(mail, "root@example.net", ["bob@example.org"], f"Subject: backup ok\r\n{field}\r\n\r\n".encode())
    assert (len(mail.emails()), len(mail.emails("bob"))) == (2, 1)


def test_two_addresses_of_one_user_are_one_copy(mail: Mail) -> None:
    answers = bring(mail, "x@example.net", ["ann@example.org", "a@example.org"])
    assert answers == ["250 2.1.5 Delivered"] * 2
    assert len(mail.emails()) == 1


def test_lists_sub_addresses_and_catch_all(mail: Mail) -> None:
    bring(mail, "x@example.net", ["all@example.org"])
    bring(mail, "x@example.net", ["bob+lists@example.org", "whoever@catch.example"], MESSAGE + b"2\r\n")
    assert [len(mail.emails(name)) for name in ("ann", "bob", "any")] == [1, 2, 1]


@pytest.mark.parametrize(
    ("recipient", "answer"),
    [
        ("nobody@example.org", "550 5.1.1"),
        ("x@elsewhere.example", "550 5.7.1"),
        ("ann", "553 5.1.3"),
        ("a b@example.org", "5"),
    ],
)
def test_who_is_not_here_is_refused(mail: Mail, recipient: str, answer: str) -> None:
    answers = talk(mail, b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<%s>" % recipient.encode())
    assert answers[-2].startswith(answer)


def test_mail_for_others_is_never_taken(mail: Mail) -> None:
    with mail.smtp() as peer, pytest.raises(smtplib.SMTPRecipientsRefused):
        peer.sendmail("ann@example.org", ["x@elsewhere.example"], MESSAGE)


def test_a_message_that_is_too_large_is_refused_before_and_after(mail: Mail) -> None:
    with mail.smtp() as peer:
        peer.ehlo()
        assert peer.mail("x@example.net", ["SIZE=100001"])[0] == 552
        assert peer.mail("x@example.net")[0] == 250
        peer.rcpt("ann@example.org")
        peer.rcpt("bob@example.org")
        assert peer.data(b"x" * 200_000)[0] == 552
        assert peer.noop()[0] == 250
    lines = [b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<ann@example.org>", b"RCPT TO:<bob@example.org>", b"DATA"]
    answers = talk(mail, *lines, *[b"x" * 900] * 200, b".")
    assert [answer[:3] for answer in answers[-4:]] == ["354", "552", "552", "221"]
    assert mail.emails() == mail.emails("bob") == []


def test_there_are_only_so_many_recipients(mail: Mail) -> None:
    lines = [b"RCPT TO:<bob+%d@example.org>" % number for number in range(5)]
    assert talk(mail, b"LHLO x", b"MAIL FROM:<>", *lines)[-2].startswith("452 4.5.3")


def test_a_report_has_an_empty_return_path(mail: Mail) -> None:
    bring(mail, "", ["ann@example.org"], b"Return-Path: <forged@example.net>\r\n" + MESSAGE)
    (stored,) = mail.emails()
    assert stored.startswith(b"Return-Path: <>\r\n")
    assert stored.count(b"Return-Path") == 1


def test_addresses_in_utf_8(mail: Mail) -> None:
    with mail.smtp() as peer:
        peer.ehlo()
        peer.mail("jürgen@example.net", ["SMTPUTF8"])
        assert peer.rcpt("ann@example.org")[0] == 250
        assert peer.data(MESSAGE)[0] == 250
    assert mail.emails()[0].startswith("Return-Path: <jürgen@example.net>".encode())
    assert b"with UTF8SMTP id" in mail.emails()[0]


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (StoreUnavailable("disk full"), "451 4.3.0"),
        (SetError("overQuota"), "452 4.2.2"),
        (ZeroDivisionError("a bug"), "451 4.3.0"),
    ],
)
def test_what_cannot_be_done_now_is_to_be_tried_again(
    mail: Mail, monkeypatch: pytest.MonkeyPatch, failure: Exception, answer: str
) -> None:
    def fails(*_: Any) -> None:
        raise failure

    lines = [b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<ann@example.org>", b"DATA", b"Subject: x", b"", b"y", b"."]
    with monkeypatch.context() as patched:
        patched.setattr(filing, "insert", fails)
        assert talk(mail, *lines)[-2].startswith(answer)
    assert mail.emails() == []
    assert talk(mail, *lines)[-2].startswith("250 2.1.5")
    assert len(mail.emails()) == 1


def test_a_message_that_goes_in_circles_is_refused(mail: Mail) -> None:
    with mail.smtp() as peer, pytest.raises(smtplib.SMTPDataError) as refused:
        peer.sendmail("x@example.net", ["ann@example.org"], b"Received: x; y\r\n" * 101 + MESSAGE)
    assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (554, b"5.4.6")


def test_a_peer_that_vanishes_leaves_nothing(mail: Mail) -> None:
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as connection:
        connection.sendall(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nSubject: half")
    with mail.lmtp() as peer:
        peer.sendmail("x@example.net", ["bob@example.org"], MESSAGE)
    assert (mail.emails(), len(mail.emails("bob"))) == ([], 1)


def test_a_bare_line_feed_does_not_end_a_message(mail: Mail) -> None:
    """What one server takes for the end of a message and another does not lets messages be smuggled."""
    lines = [b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<ann@example.org>", b"DATA", b"Subject: x", b""]
    smuggled = b"y\n.\nMAIL FROM:<admin@example.org>\nRCPT TO:<bob@example.org>\nDATA\nSubject: evil\n\nz"
    assert talk(mail, *lines, smuggled, b".")[-2].startswith("250")
    assert mail.emails("bob") == []
    assert b"evil" in mail.emails()[0]


def test_a_unix_socket_takes_mail_too(mail: Mail) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(mail.folder / "lmtp.sock"))
        begin = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
        connection.sendall(begin + MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\nQUIT\r\n")
        with connection.makefile("rb") as answers:
            assert [line[:3] for line in answers][-2:] == [b"250", b"221"]
    assert b"Received: from x (unix socket)" in mail.emails()[0]


def test_no_bodies_are_logged_even_at_debug(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    from jmaplite.server.logs import log_to_standard_error

    level = logging.root.level
    handlers = logging.root.handlers[:]
    try:
        log_to_standard_error(mail.server.config)
        logging.root.setLevel(logging.DEBUG)
        logging.root.addHandler(caplog.handler)
        with mail.lmtp() as peer:
            peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE)
    finally:
        logging.root.setLevel(level)
        logging.root.handlers[:] = handlers
    assert "Text" not in caplog.text
    assert "<ann@example.org> 250 2.1.5" in caplog.text


@pytest.fixture
def secure(tmp_path: Path, factory: LoopFactory | None) -> Iterator[tuple[Mail, trustme.CA]]:
    authority = trustme.CA()
    pair = authority.issue_cert("localhost", "127.0.0.1")
    (tmp_path / "cert.pem").write_bytes(b"".join(part.bytes() for part in pair.cert_chain_pems))
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    more = '[certificate.own]\ncert = "cert.pem"\nprivate-key = "key.pem"'
    for mail in started(tmp_path, factory, tls='tls.certificate = "own"', more=more):
        yield mail, authority


def test_starttls(secure: tuple[Mail, trustme.CA]) -> None:
    mail, authority = secure
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with mail.smtp() as peer:
        peer.ehlo()
        assert "starttls" in peer.esmtp_features
        peer._host = "localhost"  # type: ignore[attr-defined]
        assert peer.starttls(context=context)[0] == 220
        peer.ehlo()
        assert "starttls" not in peer.esmtp_features
        assert "auth" not in peer.esmtp_features
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE)
    assert b"with ESMTPS id" in mail.emails()[0]


def test_what_was_said_before_tls_is_not_taken_for_what_is_said_in_it(secure: tuple[Mail, trustme.CA]) -> None:
    mail, authority = secure
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with socket.create_connection(("127.0.0.1", mail.port("smtp")), timeout=30) as plain:
        plain.sendall(b"EHLO x\r\n")
        heard = b""
        while b"250 " not in heard:
            heard += plain.recv(1000)
        plain.sendall(b"STARTTLS\r\nMAIL FROM:<injected@example.net>\r\n")
        assert plain.recv(1000).startswith(b"220")
        with context.wrap_socket(plain, server_hostname="localhost") as inside:
            inside.sendall(b"EHLO x\r\n")
            heard = b""
            while b"250 " not in heard:
                heard += inside.recv(1000)
            inside.sendall(b"RCPT TO:<ann@example.org>\r\n")
            assert inside.recv(1000).startswith(b"503")


def test_connections_count_before_tls_has_begun(tmp_path: Path) -> None:
    pair = trustme.CA().issue_cert("localhost")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    more = '[certificate.own]\ncert = "cert.pem"\nprivate-key = "key.pem"'
    tls = 'tls.certificate = "own"\ntls.implicit = true\ntls.timeout = "50ms"\nmax-connections = 1'
    for mail in started(tmp_path, tls=tls, more=more):
        address = ("127.0.0.1", mail.port("smtp"))
        with socket.create_connection(address, timeout=30) as silent:
            with socket.create_connection(address, timeout=30) as other:
                assert other.recv(1) == b""
            assert silent.recv(1) == b"", "nobody may be silent for ever"


def test_a_listener_for_mail_comes_and_goes_with_the_configuration(mail: Mail) -> None:
    from dataclasses import replace

    config = mail.server.config
    without = replace(config, listeners=tuple(one for one in config.listeners if one.id != "lmtp"))
    port = mail.port("lmtp")
    mail.loop.run(mail.server.reload(without))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)
    assert not (mail.folder / "lmtp.sock").exists()
    mail.loop.run(mail.server.reload(config))
    with mail.lmtp() as peer:
        peer.sendmail("x@example.net", ["ann@example.org"], MESSAGE)
    assert len(mail.emails()) == 1
