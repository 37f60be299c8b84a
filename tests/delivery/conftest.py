"""A server that takes mail, and what speaks to it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jmaplite.config import parse
from jmaplite.server import Server
from tests.web.serving import Loop, LoopFactory

CONFIG = """
[server]
hostname = "mx.example.org"
[server.listener.jmap]
bind = "127.0.0.1:0"
[server.listener.lmtp]
protocol = "lmtp"
bind = ["127.0.0.1:0", "unix:lmtp.sock"]
{tls}
[server.listener.smtp]
protocol = "smtp"
bind = "127.0.0.1:0"
{tls}
[store]
path = "data"
[jmap]
directory = "memory"
[jmap.email]
max-size = 100_000
[session.rcpt]
max-recipients = 4
[directory.memory]
type = "memory"
options.catch-all = true
options.subaddressing = true
[[directory.memory.principals]]
name = "ann"
secret = "pw"
email = ["ann@example.org", "a@example.org"]
email-list = ["all@example.org"]
[[directory.memory.principals]]
name = "bob"
secret = "pw"
email = ["bob@example.org"]
email-list = ["all@example.org"]
[[directory.memory.principals]]
name = "tiny"
secret = "pw"
email = ["tiny@example.org"]
quota = 500
[[directory.memory.principals]]
name = "any"
secret = "pw"
email = ["@catch.example"]
{more}
"""


@dataclass
class Mail:
    """A server and the loop that it runs in."""

    server: Server
    loop: Loop
    folder: Path

    def port(self, name: str) -> int:
        return urlsplit(self.server.urls[name][0]).port or 0

    def lmtp(self) -> smtplib.LMTP:
        return smtplib.LMTP("127.0.0.1", self.port("lmtp"), local_hostname="peer.example")

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port("smtp"), local_hostname="peer.example")

    def emails(self, name: str = "ann") -> list[bytes]:
        """The octets of what is in an account, the oldest first."""
        store, blobs = self.server.parts.ground.store, self.server.parts.ground.blobs
        account_id = store.account_of(name)
        if account_id is None:
            return []
        with store.account(account_id).read() as tx:
            rows = tx.rows("SELECT blob FROM email WHERE account=? ORDER BY arrival", tx.account)
            return [blobs.read(tx, row[0]) for row in rows]


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> LoopFactory | None:
    """What a server's loop may be: uvloop's is used where that is installed."""
    if request.param == "asyncio":
        return None
    made: LoopFactory = pytest.importorskip("uvloop").new_event_loop
    return made


@pytest.fixture
def mail(tmp_path: Path, factory: LoopFactory | None) -> Iterator[Mail]:
    yield from started(tmp_path, factory)


def started(folder: Path, factory: LoopFactory | None = None, **more: Any) -> Iterator[Mail]:
    """A server as the configuration above has it."""
    values = {"tls": "", "more": "", **more}
    config = parse(CONFIG.format(**values), folder / "config.toml")
    with Loop(factory) as loop:
        server = Server(config)
        loop.run(server.start())
        try:
            yield Mail(server, loop, folder)
        finally:
            loop.run(server.stop())
