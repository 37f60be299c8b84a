"""A configuration with three users, the commands run on it, and a look at what they stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from jmaplite import cli
from jmaplite.config import load
from jmaplite.formats.mailboxes import Found
from jmaplite.server import Transfer, transfer

CONFIG = """\
[server.listener.jmap]
bind = "127.0.0.1:0"
[jmap]
directory = "memory"
[jmap.email]
max-size = 100_000
[directory.memory]
type = "memory"
[[directory.memory.principals]]
name = "ann"
email = ["ann@example.org", "a@example.net"]
[[directory.memory.principals]]
name = "bob"
email = ["bob@example.org"]
[[directory.memory.principals]]
name = "cat"
"""


@dataclass(frozen=True)
class Mail:
    """An Email: the paths of its Mailboxes, its keywords, and receivedAt in seconds since the epoch."""

    mailboxes: frozenset[str]
    keywords: frozenset[str]
    received: int


@dataclass(frozen=True)
class Site:
    """A configuration file in a directory of its own."""

    config: Path

    @classmethod
    def make(cls, folder: Path, config: str = CONFIG) -> Site:
        (folder / "config.toml").write_text(config)
        return cls(folder / "config.toml")

    def run(self, *words: str | Path) -> Result:
        """A command with its subcommand first; `--config` is put in."""
        command = [str(word) for word in words]
        at = 1 if command[0] in ("verify", "backup", "restore") else 2
        return CliRunner().invoke(cli.main, [*command[:at], "--config", str(self.config), *command[at:]])

    @contextmanager
    def transfer(self) -> Iterator[Transfer]:
        with transfer(load(self.config)) as mail:
            yield mail

    def mail(self, account: str = "ann") -> dict[bytes, Mail]:
        """Every message of an account by its octets; each has only one Email."""
        found: dict[bytes, dict[str, object]] = {}
        emails: dict[bytes, Mail] = {}
        with self.transfer() as mail:
            owner = mail.owner(account)
            for box in mail.mailboxes(owner):
                there = list(mail.emails(owner, box))
                assert len(there) == box.total
                for email in there:
                    found.setdefault(email.octets, {})[email.id] = None
                    before = emails.get(email.octets, Mail(frozenset(), frozenset(), 0))
                    paths = before.mailboxes | {"/".join(box.path)}
                    emails[email.octets] = Mail(paths, email.keywords, email.received)
        assert all(len(ids) == 1 for ids in found.values())
        return emails

    def folders(self, account: str = "ann") -> dict[str, str | None]:
        """The path of each Mailbox with its role."""
        with self.transfer() as mail:
            return {"/".join(box.path): box.role for box in mail.mailboxes(mail.owner(account))}

    def ids(self, account: str = "ann") -> set[str]:
        """The ids of all Emails of an account."""
        with self.transfer() as mail:
            owner = mail.owner(account)
            return {email.id for box in mail.mailboxes(owner) for email in mail.emails(owner, box)}

    def bring(self, *found: Found, account: str = "ann") -> list[str]:
        """Import things found by other means; answers what became of each."""
        with self.transfer() as mail:
            return [result.outcome for result in mail.run(mail.owner(account, make=True), found)]


def message(number: int, *, body: str = "x", header: str = "") -> bytes:
    """A small message, distinct by its number, with CRLF."""
    return f"Subject: message {number}\r\nMessage-ID: <{number}@example.org>\r\n{header}\r\n{body}\r\n".encode()


def separated(*messages: bytes, date: str = "Tue Jul 23 19:39:23 2002") -> bytes:
    """Messages as an mbox without any quoting, with LF."""
    parts = (b"From a@b " + date.encode() + b"\n" + octets + b"\n" for octets in messages)
    return b"".join(parts).replace(b"\r\n", b"\n")
