"""The examples of RFC 8621 §2 and §3: Mailboxes and Threads."""

from __future__ import annotations

from tests.mail.jmap import message
from tests.rfc.conftest import ExampleClient

COUNTS = ["totalEmails", "unreadEmails", "totalThreads", "unreadThreads"]
RIGHTS = {
    "mayAddItems", "mayRename", "maySubmit", "mayDelete", "maySetKeywords", "mayRemoveItems", "mayCreateChild",
    "maySetSeen", "mayReadItems",
}  # fmt: skip


def reference(path: str) -> dict[str, str]:
    return {"resultOf": "0", "name": "Mailbox/changes", "path": path}


def test_2_6_fetching_all_mailboxes(alice: ExampleClient) -> None:
    important = alice.call("Mailbox/set", create={"k": {"name": "Important mail"}})["created"]["k"]["id"]
    first = alice.import_(message(message_id="a@x"))
    alice.import_(message("Re: Hello", message_id="b@x", references=["a@x"]))
    alice.import_(message("Other"), keywords=["$seen"])
    [answer] = alice.send(["Mailbox/get", {"ids": None}, "0"])
    boxes = {box["id"]: box for box in answer.pop("list")}
    assert answer == {"accountId": alice.account, "state": alice.state("Mailbox"), "notFound": []}
    [inbox] = [box for box in boxes.values() if box["role"] == "inbox"]
    rights = inbox.pop("myRights")
    assert (rights.keys(), rights["mayDelete"], rights["mayReadItems"]) == (RIGHTS, False, True)
    assert inbox == {
        "id": alice.get("Email", first["id"], "mailboxIds")["mailboxIds"].popitem()[0],
        "name": "Inbox",
        "parentId": None,
        "role": "inbox",
        "sortOrder": 10,
        "totalEmails": 3,
        "unreadEmails": 2,
        "totalThreads": 2,
        "unreadThreads": 1,
        "isSubscribed": True,
    }
    assert boxes[important]["name"] == "Important mail"


def test_2_6_an_email_is_marked_read(alice: ExampleClient) -> None:
    inbox = alice.mailbox("inbox")
    emails = [alice.import_(message(f"Number {number}"))["id"] for number in range(3)]
    state = alice.state("Mailbox")
    alice.call("Email/set", update={emails[0]: {"keywords/$seen": True}})
    changes, created, updated = alice.send(
        ["Mailbox/changes", {"sinceState": state}, "0"],
        ["Mailbox/get", {"#ids": reference("/created")}, "1"],
        ["Mailbox/get", {"#ids": reference("/updated"), "#properties": reference("/updatedProperties")}, "2"],
    )
    new = alice.state("Mailbox")
    assert changes == {
        "accountId": alice.account,
        "oldState": state,
        "newState": new,
        "hasMoreChanges": False,
        "updatedProperties": COUNTS,
        "created": [],
        "updated": [inbox],
        "destroyed": [],
    }
    assert new != state
    assert created == {"accountId": alice.account, "state": new, "list": [], "notFound": []}
    assert updated == {
        "accountId": alice.account,
        "state": new,
        "list": [{"id": inbox, "totalEmails": 3, "unreadEmails": 2, "totalThreads": 3, "unreadThreads": 2}],
        "notFound": [],
    }


def test_2_6_renaming_one_mailbox_and_destroying_another(alice: ExampleClient) -> None:
    inbox = alice.mailbox("inbox")
    important = alice.call("Mailbox/set", create={"k": {"name": "Important mail"}})["created"]["k"]["id"]
    state = alice.state("Mailbox")
    [answer] = alice.send(
        [
            "Mailbox/set",
            {"ifInState": state, "update": {important: {"name": "Maybe important mail"}}, "destroy": [inbox]},
            "0",
        ]
    )
    error = answer["notDestroyed"].pop(inbox)
    assert error["type"] == "forbidden"
    assert answer == {
        "accountId": alice.account,
        "oldState": state,
        "newState": alice.state("Mailbox"),
        "created": None,
        "updated": {important: None},
        "destroyed": None,
        "notCreated": None,
        "notUpdated": None,
        "notDestroyed": {},
    }
    assert answer["newState"] != state
    assert alice.get("Mailbox", important, "name")["name"] == "Maybe important mail"


def test_a_right_that_follows_from_what_was_set_is_told(alice: ExampleClient) -> None:
    """RFC 8620 §5.3, `updated`: the inbox may not be deleted, and once it is no inbox any more it may."""
    inbox = alice.mailbox("inbox")
    before = alice.get("Mailbox", inbox, "myRights")["myRights"]
    answer = alice.call("Mailbox/set", update={inbox: {"role": None}})
    assert answer["updated"] == {inbox: {"myRights": before | {"mayDelete": True}}}
    assert alice.get("Mailbox", inbox, "myRights")["myRights"] == before | {"mayDelete": True}


def test_3_1_1_threads(alice: ExampleClient) -> None:
    first = alice.import_(message(message_id="a@x"))
    reply = alice.import_(message("Re: Hello", message_id="b@x", references=["a@x"]))
    other = alice.import_(message("Alone"))
    [answer] = alice.send(["Thread/get", {"ids": [first["threadId"], other["threadId"]]}, "#1"])
    assert answer == {
        "accountId": alice.account,
        "state": alice.state("Thread"),
        "list": [
            {"id": first["threadId"], "emailIds": [first["id"], reply["id"]]},
            {"id": other["threadId"], "emailIds": [other["id"]]},
        ],
        "notFound": [],
    }
