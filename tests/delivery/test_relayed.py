"""A whole server with a relay: by its configuration, through a reload, and at its end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jmaplite.config import Config, parse
from jmaplite.server import Server
from tests.delivery.person import Person
from tests.delivery.sink import Sink, sink
from tests.web.serving import Loop, until

CONFIG = """
[server]
hostname = "jmap.example.org"
[server.listener.jmap]
bind = "127.0.0.1:0"
[store]
path = "data"
[jmap]
directory = "memory"
[queue]
retry = "1h"
[relay]
host = "{host}"
port = {port}
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "ann"
secret = "pw"
email = ["ann@example.org"]
"""


def config(folder: Path, there: Sink) -> Config:
    host = f"unix:{there.path}" if there.path else "127.0.0.1"
    return parse(CONFIG.format(host=host, port=there.port or 25), folder / "config.toml")


@pytest.fixture
def loop() -> Iterator[Loop]:
    with Loop() as loop:
        yield loop


def test_a_submission_goes_by_the_relay_of_the_configuration_in_use(tmp_path: Path, loop: Loop) -> None:
    with sink() as first, sink(path=str(tmp_path / "sock"), is_lmtp=False, offers=()) as second:
        server = Server(config(tmp_path, first))
        loop.run(server.start())
        try:
            ann = Person(server, "ann")
            number = ann.send("One", "x@there.example")
            letter = first.wait()
            assert (letter.sender, letter.recipients) == ("ann@example.org", ["x@there.example"])
            assert b"Subject: One\r\n" in letter.octets
            assert [one[:6] for options in letter.recipient_options for one in options] == ["ORCPT="]
            until(lambda: ann.submission(number)["deliveryStatus"]["x@there.example"]["delivered"] == "unknown")
            assert "DSN" in server.parts.relay.offers

            loop.run(server.reload(config(tmp_path, second)))
            ann.send("Two", "y@there.example")
            assert second.wait().recipients == ["y@there.example"]
            assert len(first.letters) == 1
            assert "DSN" not in server.parts.relay.offers
        finally:
            loop.run(server.stop())


def test_a_reload_that_changes_no_relay_keeps_it(tmp_path: Path, loop: Loop) -> None:
    with sink() as there:
        server = Server(config(tmp_path, there))
        loop.run(server.start())
        try:
            relay = server.parts.relay
            loop.run(server.reload(replace(config(tmp_path, there), path=tmp_path / "other.toml")))
            assert server.parts.relay is relay
            Person(server, "ann").send("One", "x@there.example")
            there.wait()
        finally:
            loop.run(server.stop())


def test_what_is_under_way_at_the_end_goes_with_the_next_start(tmp_path: Path, loop: Loop) -> None:
    """A relay that does not answer is not waited for; the message stays due, not a failure that is an hour away."""
    silent, asked = threading.Event(), threading.Event()

    def rcpt(address: str) -> str | None:
        asked.set()
        silent.wait(30)
        return "450 4.2.0 too late"

    with sink(rcpt=rcpt) as there:
        server = Server(config(tmp_path, there))
        loop.run(server.start())
        number = Person(server, "ann").send("One", "x@there.example")
        assert asked.wait(30)
        server.parts.relay.stop(0)  # type: ignore[call-arg]
        loop.run(server.stop())
        silent.set()
        there.rcpt = lambda address: None
        server = Server(config(tmp_path, there))
        loop.run(server.start())
        try:
            assert there.wait().recipients == ["x@there.example"]
            ann = Person(server, "ann")
            until(lambda: ann.submission(number)["deliveryStatus"]["x@there.example"]["delivered"] == "unknown")
        finally:
            loop.run(server.stop())
