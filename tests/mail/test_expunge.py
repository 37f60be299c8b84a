"""Mail that has long been in the trash ends by itself (`jmap.email.auto-expunge`)."""

from __future__ import annotations

from dataclasses import replace

from jmaplite.datatypes.mail.capability import MAIL, MailSettings
from jmaplite.datatypes.mail.expunge import expunge
from tests.mail.jmap import Client, Server, message
from tests.mail.test_standard_changes import changes, state

DAY = 86_400


def tidy(client: Client, seconds: int = 30 * DAY) -> int:
    """Let the server do what it does from time to time."""
    services = client.server.engine.services
    told = replace(services, settings={**services.settings, MAIL: MailSettings(expunge_after=seconds)})
    return expunge(told, client.server.store.account(client.account))


def days(client: Client, number: int, seconds: int = 30 * DAY) -> int:
    """Let half days pass; answers how many Emails ended."""
    ended = 0
    for _ in range(number * 2):
        client.server.now += DAY / 2
        ended += tidy(client, seconds)
    return ended


def move(client: Client, email: str, *mailboxes: str) -> None:
    client.call("Email/set", update={email: {"mailboxIds": {client.mailbox(one): True for one in mailboxes}}})


def ids(client: Client) -> set[str]:
    return set(client.call("Email/query")["ids"])


def test_the_time_counts_from_when_mail_came_there(server: Server, alice: Client) -> None:
    """Not from when it was received, and other changes do not make it longer."""
    old, junk, inbox, both = (alice.import_(message(), received="2001-01-01T00:00:00Z")["id"] for _ in range(4))
    tidy(alice)
    assert days(alice, 100) == 0
    move(alice, old, "trash")
    move(alice, junk, "junk", "trash")
    move(alice, both, "trash", "archive")
    assert days(alice, 20) == 0
    alice.call("Email/set", update={old: {"keywords/$seen": True}})
    assert days(alice, 9) == 0
    before = state(alice, "Email")
    assert days(alice, 3) == 2
    assert ids(alice) == {inbox, both}
    assert set(changes(alice, "Email", before)["destroyed"]) == {old, junk}
    move(alice, both, "trash")
    assert days(alice, 29) == 0
    assert days(alice, 3) == 1


def test_what_was_taken_out_of_the_trash_stays(server: Server, alice: Client) -> None:
    email = alice.import_(message())["id"]
    move(alice, email, "trash")
    tidy(alice)
    assert days(alice, 29) == 0
    move(alice, email, "inbox")
    assert days(alice, 10) == 0
    move(alice, email, "trash")
    assert days(alice, 29) == 0
    assert ids(alice) == {email}
    assert days(alice, 2) == 1


def test_nothing_ends_at_once_when_it_is_switched_on(server: Server, alice: Client) -> None:
    move(alice, alice.import_(message())["id"], "trash")
    server.now += 400 * DAY
    assert tidy(alice, 0) == 0
    assert tidy(alice) == 0
    assert days(alice, 29) == 0
    assert days(alice, 2) == 1


def test_more_than_one_step_ends_and_the_counts_are_right(server: Server, alice: Client) -> None:
    for _ in range(230):
        move(alice, alice.import_(message())["id"], "trash")
    tidy(alice)
    assert days(alice, 31) == 230
    [trash] = alice.call("Mailbox/get", ids=[alice.mailbox("trash")])["list"]
    assert (trash["totalEmails"], trash["totalThreads"]) == (0, 0)
    assert alice.faults() == []
