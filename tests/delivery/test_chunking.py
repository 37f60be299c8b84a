"""Messages that come in chunks (RFC 3030)."""

from __future__ import annotations

import socket

import pytest

from jmaplite.delivery import receiving, speaking
from tests.delivery.conftest import Mail
from tests.delivery.test_receiving import MESSAGE, bring
from tests.delivery.test_speaking import BEGIN
from tests.web.serving import until

ANN = BEGIN[:3]


def said(*commands: bytes) -> bytes:
    return b"".join(command + b"\r\n" for command in commands)


def chunk(octets: bytes, *, is_last: bool = False) -> bytes:
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if is_last else b"", octets)


def heard(mail: Mail, octets: bytes, name: str = "lmtp") -> list[str]:
    """What is answered to octets that are sent at once, but for greetings, until the peer ends."""
    with socket.create_connection(("127.0.0.1", mail.port(name)), timeout=30) as peer:
        peer.sendall(octets)
        with peer.makefile("rb") as answers:
            lines = [line.decode().rstrip() for line in answers][1:]
    return [line for line in lines if not line.startswith("250-") and "ENHANCED" not in line]


def test_a_message_comes_in_chunks_that_nobody_looks_into(mail: Mail) -> None:
    """Not for dots, nor for line ends; with all commands sent at once (RFC 2920)."""
    message = MESSAGE + b"..\r\n.\r\nQUIT\r\n" + bytes(range(256)) * 300
    chunks = (message[:1], message[1:100], b"", message[100:])
    answers = heard(mail, said(*BEGIN) + b"".join(map(chunk, chunks)) + chunk(b"", is_last=True) + said(b"QUIT"))
    assert [one[:9] for one in answers[3:]] == ["250 2.0.0"] * 4 + ["250 2.1.5"] * 2 + ["221 2.0.0"]
    for name in ("ann", "bob"):
        (stored,) = mail.emails(name)
        assert stored.endswith(b"\r\n" + message)


def test_it_is_the_same_message_that_comes_by_data(mail: Mail) -> None:
    bring(mail, "x@example.net", ["ann@example.org"])
    begin = (b"LHLO x", b"MAIL FROM:<x@example.net>", ANN[2])
    assert heard(mail, said(*begin) + chunk(MESSAGE, is_last=True) + said(b"QUIT"))[-2].startswith("250 2.1.5")
    assert len(mail.emails()) == 1


def test_smtp_answers_once_for_all(mail: Mail) -> None:
    begin = (b"EHLO x", *BEGIN[1:])
    answers = heard(mail, said(*begin) + chunk(MESSAGE[:9]) + chunk(MESSAGE[9:], is_last=True) + said(b"QUIT"), "smtp")
    assert [one[:9] for one in answers[3:]] == ["250 2.0.0", "250 2.1.5", "221 2.0.0"]


def test_a_chunk_that_is_refused_is_read_all_the_same(mail: Mail) -> None:
    command = b"RCPT TO:<bob@example.org>\r\nDATA\r\n"
    large = b"x" * 60_000
    for octets, answers in (
        (chunk(command), ["503"]),
        (said(b"LHLO x") + chunk(command, is_last=True), ["503"]),
        (said(*BEGIN[:2]) + chunk(command) + chunk(command, is_last=True), ["250", "503", "503"]),
        (said(*ANN) + chunk(large) * 2 + chunk(command, is_last=True), ["250", "250", "250", "552", "552"]),
        (said(*BEGIN) + chunk(b"x" * 100_001, is_last=True), ["250"] * 3 + ["552"] * 2),
    ):
        found = heard(mail, octets + said(b"NOOP", b"QUIT"))
        assert [one[:3] for one in found] == [*answers, "250", "221"], octets[:100]
    assert mail.emails() + mail.emails("bob") == []


def test_a_transaction_is_of_one_kind_and_ends_with_rset_or_the_last_chunk(mail: Mail) -> None:
    for octets, answers in (
        (chunk(b"x") + said(b"DATA"), ["250", "503"]),
        (chunk(b"x") + said(BEGIN[3]), ["250", "503"]),
        (chunk(b"x") + said(b"RSET", b"DATA"), ["250", "250", "503"]),
        (chunk(b"x") + said(b"LHLO y", *BEGIN[1:3]) + chunk(MESSAGE, is_last=True), ["250"] * 4),
        (chunk(MESSAGE, is_last=True) + chunk(b"x", is_last=True), ["250", "503"]),
    ):
        found = heard(mail, said(*ANN) + octets + said(b"QUIT"))
        assert [one[:3] for one in found][2:] == [*answers, "221"], octets
    assert {one[one.index(b"From") :] for one in mail.emails()} == {MESSAGE}


@pytest.mark.parametrize("arguments", [b"", b"x", b"-1", b"1 2", b"1 LAST x", b"9" * 30, b"0x10 LAST"])
def test_where_it_is_not_told_how_much_follows_the_conversation_ends(mail: Mail, arguments: bytes) -> None:
    """Else what follows would be taken for commands."""
    smuggled = said(*BEGIN[1:3]) + chunk(MESSAGE, is_last=True)
    assert heard(mail, said(*ANN, b"BDAT " + arguments) + smuggled)[-1].startswith("501 5.5.4 ")
    assert mail.emails() == []


def test_who_vanishes_or_is_too_slow_leaves_nothing(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    floor = mail.server._listening["lmtp"]._receiving  # type: ignore[union-attr]
    octets = said(*ANN) + chunk(MESSAGE[:50]) + chunk(MESSAGE[50:], is_last=True)
    for end in range(0, len(octets), 7):
        with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer:
            peer.sendall(octets[:end])
    until(lambda: mail.server._listening["lmtp"].connections == 0)
    monkeypatch.setattr(speaking, "LONGEST_SECONDS", 0.0)
    assert heard(mail, octets[:-1])[-1].startswith("421 4.4.2")
    until(lambda: floor._held == 0)
    assert mail.emails() == []


def test_there_is_an_end_to_what_is_held_in_memory(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "HELD_OCTETS", 0)
    floor = mail.server._listening["lmtp"]._receiving  # type: ignore[union-attr]
    floor._held = 10_000_000
    answers = heard(mail, said(*BEGIN) + chunk(MESSAGE[:9]) + chunk(MESSAGE[9:], is_last=True) + said(b"QUIT"))
    assert [one[:9] for one in answers[-4:]] == ["452 4.3.1"] * 3 + ["221 2.0.0"]
    assert floor._held == 10_000_000


def test_a_server_that_stops_does_not_wait_for_the_next_chunk(mail: Mail) -> None:
    with socket.create_connection(("127.0.0.1", mail.port("lmtp")), timeout=30) as peer, peer.makefile("rb") as answers:
        peer.sendall(said(*ANN) + chunk(MESSAGE[:50]))
        while b"octets taken" not in answers.readline():
            pass
        mail.loop.run(mail.server.stop())
        assert answers.readlines()[-1].startswith(b"421 4.3.2")
