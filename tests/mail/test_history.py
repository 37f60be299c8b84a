"""How long changes are known (RFC 8620 §5.2): states of the last days are, older ones may be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jmaplite.core import history
from jmaplite.store import Writer
from tests.mail.jmap import Client, Server, message
from tests.mail.test_standard_changes import changes, state, told

TYPES = ["Mailbox", "Thread", "Email"]
DAY = 86_400


def tidy(client: Client, seconds: int) -> int:
    """Let the server forget what is older."""

    def work(tx: Writer) -> int:
        return history.tidy(tx, TYPES, int(client.server.now), seconds)

    return client.server.store.account(client.account).write(work)


def test_a_state_is_known_as_long_as_the_history_is_kept(server: Server, alice: Client) -> None:
    gone = alice.import_(message())["id"]
    tidy(alice, 30 * DAY)
    since = state(alice, "Email")
    alice.call("Email/set", destroy=[gone])
    query = alice.call("Email/query")["queryState"]
    for _ in range(60):
        server.now += DAY / 2
        assert tidy(alice, 30 * DAY) == 0
        assert changes(alice, "Email", since)["destroyed"] == [gone]
    for _ in range(4):
        server.now += DAY / 2
        tidy(alice, 30 * DAY)
    assert alice.error("Email/changes", sinceState=since) == "cannotCalculateChanges"
    assert alice.error("Email/queryChanges", sinceQueryState=since) == "cannotCalculateChanges"
    assert changes(alice, "Email", query)["destroyed"] == []


def test_the_history_of_an_account_that_was_never_tidied_is_whole(alice: Client) -> None:
    since = state(alice, "Email")
    gone = alice.import_(message())["id"]
    between = state(alice, "Email")
    alice.call("Email/set", destroy=[gone])
    assert tidy(alice, 30 * DAY) == 0
    assert told(changes(alice, "Email", since)) == ([], [], [])
    assert changes(alice, "Email", between)["destroyed"] == [gone]


def test_the_state_of_a_type_that_does_not_change_never_grows_old(server: Server, alice: Client) -> None:
    """Nor do other types' changes make it old."""
    made = alice.import_(message())["id"]
    mailbox, thread = state(alice, "Mailbox"), state(alice, "Thread")
    for day in range(100):
        server.now += DAY
        alice.call("Email/set", update={made: {"keywords/$flagged": day % 2 == 0 or None}})
        tidy(alice, 30 * DAY)
    assert told(changes(alice, "Mailbox", mailbox)) == ([], [], [])
    assert told(changes(alice, "Thread", thread)) == ([], [], [])
    email = state(alice, "Email")
    for _ in range(3):
        server.now += 100 * DAY
        tidy(alice, 30 * DAY)
    assert told(changes(alice, "Email", email)) == ([], [], [])


def test_old_tombstones_go(server: Server, alice: Client) -> None:
    def count(tx: Any) -> int:
        return int(tx.value("SELECT count(*) FROM tombstone WHERE account=?", tx.account))

    alice.call("Email/set", destroy=[alice.import_(message())["id"]])
    tidy(alice, 30 * DAY)
    server.now += 31 * DAY
    with server.store.account(alice.account).read() as tx:
        assert count(tx) == 2
    assert tidy(alice, 30 * DAY) == 2
    with server.store.account(alice.account).read() as tx:
        assert count(tx) == 0
        notes = tx.value("SELECT count(*) FROM noted_state WHERE account=?", tx.account)
    for _ in range(50):
        server.now += 60
        alice.import_(message(), mailboxes=["M1"])
        tidy(alice, 30 * DAY)
    with server.store.account(alice.account).read() as tx:
        assert tx.value("SELECT count(*) FROM noted_state WHERE account=?", tx.account) <= notes + 3


def test_tidying_again_at_once_writes_nothing(alice: Client) -> None:
    alice.import_(message())
    tidy(alice, 30 * DAY)
    written: list[str] = []

    def work(tx: Writer) -> None:
        execute: Callable[..., None] = tx.execute
        tx.execute = lambda sql, *parameters: (written.append(sql), execute(sql, *parameters))[1]  # type: ignore[func-returns-value, method-assign]
        history.tidy(tx, TYPES, int(alice.server.now), 30 * DAY)

    alice.server.store.account(alice.account).write(work)
    assert written == []
