"""The counts of a Mailbox, by the letter of RFC 8621 §2."""

from __future__ import annotations

import random
from itertools import count

import pytest

from tests.mail.jmap import Client, message

_roots = count(1)


def counts(client: Client, role: str) -> tuple[int, ...]:
    """totalEmails, unreadEmails, totalThreads, unreadThreads."""
    names = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
    box = client.get("Mailbox", client.mailbox(role), *names)
    return tuple(box[name] for name in names)


def thread(client: Client, *placings: tuple[str, list[str]]) -> list[str]:
    """The ids of Emails of one Thread, each with the roles of its Mailboxes ("trash inbox") and its keywords."""
    made = []
    root = f"root{next(_roots)}@x"
    for number, (roles, keywords) in enumerate(placings):
        octets = message(message_id=f"{number}.{root}", references=[root])
        boxes = [client.mailbox(role) for role in roles.split()]
        made.append(client.import_(octets, mailboxes=boxes, keywords=keywords))
    assert len({email["threadId"] for email in made}) == 1
    return [email["id"] for email in made]


def test_an_unread_email_in_the_trash_and_a_read_one_in_the_inbox(alice: Client) -> None:
    """The RFC's own example: unreadThreads is 1 for the trash and 0 for the inbox."""
    thread(alice, ("trash", []), ("inbox", ["$seen"]))
    assert counts(alice, "trash") == (1, 1, 1, 1)
    assert counts(alice, "inbox") == (1, 0, 1, 0)


def test_an_unread_email_in_the_inbox_and_a_read_one_in_the_trash(alice: Client) -> None:
    thread(alice, ("trash", ["$seen"]), ("inbox", []))
    assert counts(alice, "trash") == (1, 0, 1, 0)
    assert counts(alice, "inbox") == (1, 1, 1, 1)


def test_the_unread_email_of_a_thread_may_be_in_another_mailbox(alice: Client) -> None:
    thread(alice, ("archive", []), ("inbox", ["$seen"]), ("inbox", ["$seen"]))
    assert counts(alice, "archive") == (1, 1, 1, 1)
    assert counts(alice, "inbox") == (2, 0, 1, 1)


def test_an_email_in_the_trash_and_elsewhere_counts_in_both(alice: Client) -> None:
    """Only those that are only in the trash are ignored elsewhere."""
    thread(alice, ("trash archive", []), ("inbox", ["$seen"]))
    assert counts(alice, "trash") == (1, 1, 1, 1)
    assert counts(alice, "archive") == (1, 1, 1, 1)
    assert counts(alice, "inbox") == (1, 0, 1, 1)


def test_neither_what_was_seen_nor_a_draft_is_unread(alice: Client) -> None:
    for keywords in (["$seen"], ["$draft"], ["$seen", "$draft"], ["$flagged"]):
        thread(alice, ("inbox", keywords))
    assert counts(alice, "inbox") == (4, 1, 4, 1)


def test_a_thread_counts_once_however_many_emails_are_in_the_mailbox(alice: Client) -> None:
    emails = thread(alice, ("inbox", []), ("inbox", []), ("inbox archive", []))
    assert counts(alice, "inbox") == (3, 3, 1, 1)
    assert counts(alice, "archive") == (1, 1, 1, 1)
    alice.call("Email/set", update={emails[0]: {"keywords/$seen": True}, emails[1]: {"keywords/$seen": True}})
    assert counts(alice, "inbox") == (3, 1, 1, 1)
    alice.call("Email/set", destroy=emails[1:])
    assert counts(alice, "inbox") == (1, 0, 1, 0)
    assert counts(alice, "archive") == (0, 0, 0, 0)


def test_moving_an_email_to_the_trash_moves_its_counts(alice: Client) -> None:
    emails = thread(alice, ("inbox", []), ("inbox", ["$seen"]))
    trash = alice.mailbox("trash")
    alice.call("Email/set", update={emails[0]: {"mailboxIds": {trash: True}}})
    assert counts(alice, "inbox") == (1, 0, 1, 0)
    assert counts(alice, "trash") == (1, 1, 1, 1)


@pytest.mark.parametrize("change", ["move", "take away", "destroy", "give"])
def test_when_another_mailbox_is_the_trash_unread_threads_are_counted_anew(alice: Client, change: str) -> None:
    emails = thread(alice, ("trash", []), ("inbox", ["$seen"]), ("archive", []))
    trash, archive = alice.mailbox("trash"), alice.mailbox("archive")
    before = alice.call("Mailbox/get", ids=[])["state"]
    assert counts(alice, "inbox") == (1, 0, 1, 1)
    if change == "move":
        answer = alice.call("Mailbox/set", update={trash: {"role": None}, archive: {"role": "trash"}})
        assert counts(alice, "inbox") == (1, 0, 1, 1)
    elif change == "take away":
        alice.call("Email/set", destroy=[emails[2]])
        answer = alice.call("Mailbox/set", update={trash: {"role": None}})
        assert counts(alice, "inbox") == (1, 0, 1, 1)
    elif change == "destroy":
        answer = alice.call("Mailbox/set", destroy=[trash], onDestroyRemoveEmails=True)
        assert counts(alice, "inbox") == (1, 0, 1, 1)
    else:
        alice.call("Mailbox/set", update={trash: {"role": None}})
        answer = alice.call("Mailbox/set", create={"k": {"name": "T", "role": "trash"}})
        assert answer["created"]["k"]["unreadThreads"] == 0
    assert alice.faults() == []
    assert answer["newState"] == alice.call("Mailbox/get", ids=[])["state"] != before


def test_a_mailbox_is_told_that_its_new_role_changed_its_count(alice: Client) -> None:
    thread(alice, ("archive", ["$seen"]), ("inbox", []))
    trash, archive = alice.mailbox("trash"), alice.mailbox("archive")
    alice.call("Mailbox/set", update={trash: {"role": None}})
    assert counts(alice, "archive") == (1, 0, 1, 1)
    answer = alice.call("Mailbox/set", update={archive: {"role": "trash"}})
    assert answer["updated"] == {archive: {"unreadThreads": 0}}
    assert alice.get("Mailbox", archive)["unreadThreads"] == 0


def test_changes_tell_whose_counts_changed_by_another_trash(alice: Client) -> None:
    thread(alice, ("trash", []), ("inbox", ["$seen"]))
    before = alice.call("Mailbox/get", ids=[])["state"]
    trash = alice.mailbox("trash")
    alice.call("Mailbox/set", update={trash: {"role": None}})
    assert set(alice.call("Mailbox/changes", sinceState=before)["updated"]) == {trash, alice.mailbox("inbox")}


@pytest.mark.parametrize("seed", range(8))
def test_counts_are_right_after_any_history(alice: Client, seed: int) -> None:
    rnd = random.Random(seed)
    roles = ["inbox", "archive", "trash", "junk"]
    emails: list[str] = []
    for _ in range(40):
        kind = rnd.randrange(4)
        if kind == 0 or not emails:
            roots = [f"root{seed}.{rnd.randrange(3)}@x"]
            boxes = [alice.mailbox(role) for role in rnd.sample(roles, rnd.randint(1, 3))]
            keywords = rnd.sample(["$seen", "$draft", "work"], rnd.randint(0, 2))
            emails.append(alice.import_(message(references=roots), mailboxes=boxes, keywords=keywords)["id"])
        elif kind == 1:
            boxes = [alice.mailbox(role) for role in rnd.sample(roles, rnd.randint(1, 3))]
            alice.call("Email/set", update={rnd.choice(emails): {"mailboxIds": dict.fromkeys(boxes, True)}})
        elif kind == 2:
            keyword = rnd.choice(["$seen", "$draft"])
            alice.call("Email/set", update={rnd.choice(emails): {f"keywords/{keyword}": rnd.choice([True, None])}})
        else:
            alice.call("Email/set", destroy=[emails.pop(rnd.randrange(len(emails)))])
    assert alice.faults() == []
    expect_counts(alice)


def expect_counts(client: Client) -> None:
    """Every Mailbox's counts are what RFC 8621 §2 says, worked out from Email/get."""
    emails = client.call("Email/get", ids=None, properties=["mailboxIds", "keywords", "threadId"])["list"]
    boxes = client.call("Mailbox/get", ids=None)["list"]
    trash = next((box["id"] for box in boxes if box["role"] == "trash"), "")
    for box in boxes:
        inside = [email for email in emails if box["id"] in email["mailboxIds"]]
        unread = [email for email in emails if not {"$seen", "$draft"} & email["keywords"].keys()]
        if box["id"] == trash:
            shown = [email for email in unread if trash in email["mailboxIds"]]
        else:
            shown = [email for email in unread if email["mailboxIds"].keys() != {trash}]
        threads = {email["threadId"] for email in inside}
        assert (box["totalEmails"], box["totalThreads"]) == (len(inside), len(threads))
        assert box["unreadEmails"] == len([email for email in inside if email in unread])
        assert box["unreadThreads"] == len(threads & {email["threadId"] for email in shown})
