"""Debian's Postfix as the relay: out by AUTH over STARTTLS, back over LMTP, and its reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jmaplite.config import parse
from jmaplite.server import Server
from tests.delivery.person import Person
from tests.delivery.postfix import PASSWORD, USERNAME, Postfix, postfix
from tests.web.serving import Loop

PATIENCE = 60.0

CONFIG = """
[server]
hostname = "jmap.example.org"
[server.listener.jmap]
bind = "127.0.0.1:0"
[server.listener.lmtp]
protocol = "lmtp"
bind = "unix:{lmtp}"
socket.mode = "666"
[store]
path = "data"
[jmap]
directory = "memory"
[relay]
host = "127.0.0.1"
port = {port}
tls.starttls = "require"
auth.username = "{username}"
auth.secret = "{password}"
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "ann"
secret = "pw"
email = ["ann@example.org"]
[[directory.memory.principals]]
name = "bob"
secret = "pw"
email = ["bob@example.org"]
"""


@pytest.fixture(scope="module")
def mta() -> Iterator[Postfix]:
    with postfix(
        "away.example", {"bob@away.example": "bob@example.org", "gone@away.example": "nobody@example.org"}
    ) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path, mta: Postfix, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("SSL_CERT_FILE", str(mta.ca))
    text = CONFIG.format(lmtp=mta.lmtp, port=mta.port, username=USERNAME, password=PASSWORD)
    with Loop() as loop:
        server = Server(parse(text, tmp_path / "config.toml"))
        loop.run(server.start())
        try:
            yield server
        finally:
            loop.run(server.stop())


def eventually(mta: Postfix, holds: Callable[[], bool]) -> None:
    never, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, mta.log.read_text()
        never.wait(0.05)


def test_a_message_goes_by_way_of_postfix_and_its_report_comes_back(server: Server, mta: Postfix) -> None:
    ann, bob = Person(server, "ann"), Person(server, "bob")
    eventually(mta, lambda: "DSN" in server.parts.relay.offers)
    number = ann.send("By way of Postfix", "bob@away.example", NOTIFY="SUCCESS,FAILURE")
    eventually(mta, lambda: bool(bob.inbox()))
    assert [one["subject"] for one in bob.inbox()] == ["By way of Postfix"]
    eventually(mta, lambda: bool(ann.submission(number)["dsnBlobIds"]))
    record = ann.submission(number)
    status = record["deliveryStatus"]["bob@away.example"]
    # Brought by LMTP it counts as relayed, which leaves open whether it is in a mailbox (RFC 8621 §7 delivered).
    assert (status["delivered"], status["smtpReply"]) == ("unknown", "250 2.1.5 Delivered"), status
    (report,) = ann.inbox()
    assert record["dsnBlobIds"] == [report["blobId"]]


def test_what_postfix_cannot_deliver_comes_back(server: Server, mta: Postfix) -> None:
    ann = Person(server, "ann")
    number = ann.send("To nobody", "gone@away.example")
    eventually(mta, lambda: bool(ann.submission(number)["dsnBlobIds"]))
    status = ann.submission(number)["deliveryStatus"]["gone@away.example"]
    assert (status["delivered"], status["smtpReply"]) == ("no", "550 5.1.1 There is no such mailbox here")


def test_what_postfix_has_put_into_a_mailbox_is_delivered(server: Server, mta: Postfix) -> None:
    ann = Person(server, "ann")
    eventually(mta, lambda: "DSN" in server.parts.relay.offers)
    number = ann.send("Into a mailbox", "cy@box.example", NOTIFY="SUCCESS,FAILURE")
    eventually(mta, lambda: bool(ann.submission(number)["dsnBlobIds"]))
    assert ann.submission(number)["deliveryStatus"]["cy@box.example"]["delivered"] == "yes"
