"""Fixtures for pytest: a JMAP server in a thread, and a fresh account for each test.

They are there wherever this package is installed. Nothing is imported or started before a test asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jmaplite.client import JMAPClient
    from jmaplite.dev.clock import Clock
    from jmaplite.dev.faults import Faults
    from jmaplite.dev.in_process import FixtureServer
    from jmaplite.dev.launch import Options
    from jmaplite.dev.outbox import DevOutbox


@dataclass(frozen=True, slots=True)
class Account:
    """A fresh account: what to log in with, and how to put mail into it from outside."""

    server: FixtureServer
    name: str
    password: str
    token: str
    account_id: str

    def deliver(
        self, message: str | bytes, *, mailbox: str = "", keywords: tuple[str, ...] = (), received: int | None = None
    ) -> None:
        """Put a message into a Mailbox (a path; the inbox), received now or at a time in seconds since the epoch."""
        octets = message.encode() if isinstance(message, str) else message
        fixture = self.server.fixture
        fixture.deliver(
            fixture.owner(self.name),
            octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
            path=tuple(part for part in mailbox.split("/") if part),
            keywords=frozenset(keyword.lower() for keyword in keywords),
            received=received,
        )

    def generate(self, threads: int, seed: str = "", mailbox: str = "") -> int:
        """Make up threads of mail; answers how many messages they have."""
        fixture = self.server.fixture
        path = tuple(part for part in mailbox.split("/") if part)
        return fixture.generate(fixture.owner(self.name), threads, seed, path)


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """The faults of a server, for one test."""

    _faults: Faults

    def add(self, effect: dict[str, Any], times: int | None = None, **match: Any) -> str:
        """Have something happen (`{"methodError": "serverFail"}`) to what matches (`method="Email/*"`, `nth=2`).

        Answers the rule's id. Raises BadRule.
        """
        return self._faults.add({"effect": effect, "match": match, "times": times}).id

    def fired(self, rule_id: str) -> int:
        """How often a rule has fired."""
        return next(rule.fired for rule in self._faults.rules() if rule.id == rule_id)

    def clear(self) -> None:
        """Behave again."""
        self._faults.clear()


@pytest.fixture(scope="session")
def jmap_options() -> Options:
    """What the server is to be like; a project may have a fixture of this name that answers other Options."""
    from jmaplite.dev.launch import Options

    return Options()


@pytest.fixture(scope="session")
def jmap_server(jmap_options: Options) -> Iterator[FixtureServer]:
    """A server for all tests, in a thread of this process, with its mail in memory."""
    from jmaplite.dev.in_process import FixtureServer

    with FixtureServer(jmap_options) as server:
        yield server


@pytest.fixture
def jmap_account(jmap_server: FixtureServer) -> Iterator[Account]:
    """An account that this test has for itself."""
    made = jmap_server.make_user()
    yield Account(jmap_server, made.name, made.password, made.token, made.account_id)
    jmap_server.fixture.remove_user(made.name)


@pytest.fixture
def jmap_client(jmap_server: FixtureServer, jmap_account: Account) -> JMAPClient:
    """A small JMAP client, logged in to this test's account."""
    return jmap_server.client(jmap_account.token)


@pytest.fixture
def jmap_faults(jmap_server: FixtureServer) -> Iterator[Misbehaviour]:
    """The server's faults; it behaves again after the test."""
    yield Misbehaviour(jmap_server.fixture.faults)
    jmap_server.fixture.faults.clear()


@pytest.fixture
def jmap_clock(jmap_server: FixtureServer) -> Iterator[Clock]:
    """The server's clock; it tells the real time again after the test."""
    yield jmap_server.fixture.clock
    jmap_server.fixture.clock.reset()


@pytest.fixture
def jmap_outbox(jmap_server: FixtureServer) -> Iterator[DevOutbox]:
    """What goes to other servers: `wait(count)`, `messages()`, `clear()`. It is empty at first."""
    jmap_server.fixture.outbox.clear()
    yield jmap_server.fixture.outbox
    jmap_server.fixture.outbox.clear()
