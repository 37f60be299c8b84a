"""The examples of RFC 8621 §4: Emails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.mail.jmap import message
from tests.rfc.conftest import ExampleClient

ADDRESS_LIST = (
    '"  James Smythe" <james@example.com>, Friends:\r\n  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n'
    "  <john@example.com>;"
)
JAMES = {"name": "James Smythe", "email": "james@example.com"}
JANE = {"name": None, "email": "jane@example.com"}
JOHN = {"name": "John Smîth", "email": "john@example.com"}

PREVIEW = (
    "As you may be aware, we are required to prepare a presentation where we wow a panel of 5 random members of the "
    "public, on or before 30 June each year.  We have drafted it."
)


def reference(result_of: str, name: str, path: str) -> dict[str, str]:
    return {"resultOf": result_of, "name": name, "path": path}


def test_4_1_2_3_an_address_list(alice: ExampleClient) -> None:
    email = alice.import_(message(more=f"Cc: {ADDRESS_LIST}"))["id"]
    assert alice.get("Email", email, "cc")["cc"] == [JAMES, JANE, JOHN]


def test_4_1_2_4_an_address_list_with_its_groups(alice: ExampleClient) -> None:
    email = alice.import_(message(more=f"Cc: {ADDRESS_LIST}"))["id"]
    assert alice.get("Email", email, "header:Cc:asGroupedAddresses")["header:Cc:asGroupedAddresses"] == [
        {"name": None, "addresses": [JAMES]},
        {"name": "Friends", "addresses": [JANE, JOHN]},
    ]


def test_4_1_3_header_subject_is_the_last_one_raw(alice: ExampleClient) -> None:
    email = alice.import_(message("First", more="SUBJECT: =?utf-8?Q?Sm=C3=AEth?="))["id"]
    assert alice.get("Email", email, "header:subject")["header:subject"] == " =?utf-8?Q?Sm=C3=AEth?="


def test_4_1_3_all_resent_to_fields_as_addresses(alice: ExampleClient) -> None:
    email = alice.import_(message(more=f"Resent-To: {ADDRESS_LIST}\r\nresent-to: jane@example.com"))["id"]
    name = "header:Resent-To:asAddresses:all"
    assert alice.get("Email", email, name)[name] == [[JAMES, JANE, JOHN], [JANE]]


def test_4_2_1_get(alice: ExampleClient) -> None:
    html = "<html><body><p>Hello " + "there, " * 100 + "</p></body></html>"
    footer = "-- Sent by your friendly mailing list"
    body = f"--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b\r\nContent-Type: text/plain\r\n\r\n{footer}\r\n--b--"
    more = (
        "List-Post: <mailto:partytime@lists.example.com>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b"
    )
    made = alice.import_(message("Dinner on Thursday?", body, more=more), received="2013-10-13T14:12:00Z")
    gone = alice.import_(message())["id"]
    alice.call("Email/set", destroy=[gone])
    [answer] = alice.send(
        [
            "Email/get",
            {
                "ids": [gone, made["id"]],
                "properties": [
                    "threadId", "mailboxIds", "from", "subject", "receivedAt", "header:List-POST:asURLs", "htmlBody",
                    "bodyValues",
                ],
                "bodyProperties": ["partId", "blobId", "size", "type"],
                "fetchHTMLBodyValues": True,
                "maxBodyValueBytes": 256,
            },
            "#1",
        ]
    )  # fmt: skip
    [email] = answer.pop("list")
    assert answer == {"accountId": alice.account, "state": alice.state("Email"), "notFound": [gone]}
    first, second = email.pop("htmlBody")
    values = email.pop("bodyValues")
    assert email == {
        "id": made["id"],
        "threadId": made["threadId"],
        "mailboxIds": {alice.mailbox("inbox"): True},
        "from": [{"name": "Joe Bloggs", "email": "joe@example.com"}],
        "subject": "Dinner on Thursday?",
        "receivedAt": "2013-10-13T14:12:00Z",
        "header:List-POST:asURLs": ["mailto:partytime@lists.example.com"],
    }
    assert first == {"partId": "1", "blobId": first["blobId"], "size": len(html), "type": "text/html"}
    assert second == {"partId": "2", "blobId": second["blobId"], "size": len(footer), "type": "text/plain"}
    truncated = values["1"].pop("value")
    assert html.startswith(truncated)
    assert len("<html><body><p>Hello") < len(truncated) <= 256
    assert values == {
        "1": {"isEncodingProblem": False, "isTruncated": True},
        "2": {"isEncodingProblem": False, "isTruncated": False, "value": footer},
    }


def test_4_4_2_sort(alice: ExampleClient) -> None:
    def add(subject: str, hour: int, **more: Any) -> str:
        keywords = more.pop("keywords", ())
        received = f"2020-01-01T{hour:02}:00:00Z"
        return str(alice.import_(message(subject, **more), keywords=keywords, received=received)["id"])

    plain_b = add("Berta", 1)
    plain_a = add("anna", 2)
    newer_a = add("ANNA", 3)
    flagged = add("Zeppelin", 4, message_id="z@x", keywords=["$flagged"])
    sibling = add("Re: Zeppelin", 5, references=["z@x"])
    alone = add("Carla", 6, keywords=["$flagged"])
    sort = [
        {"property": "someInThreadHaveKeyword", "keyword": "$flagged", "isAscending": False},
        {"property": "subject", "collation": "i;ascii-casemap"},
        {"property": "receivedAt", "isAscending": False},
    ]
    [answer] = alice.send(["Email/query", {"sort": sort}, "0"])
    # Sorted by the base subject (§4.4.2), so the reply is with what it answers, and the newer of the two first.
    assert answer["ids"] == [alone, sibling, flagged, newer_a, plain_a, plain_b]


@dataclass
class Inbox:
    """The inbox of §4.10: its Threads, newest first, and the Emails that the example names."""

    id: str
    threads: list[str]
    big_reveal: dict[str, Any]
    answered: dict[str, Any]
    answer: dict[str, Any]

    def query(self) -> dict[str, Any]:
        return {
            "filter": {"inMailbox": self.id},
            "sort": [{"isAscending": False, "property": "receivedAt"}],
            "collapseThreads": True,
        }


@pytest.fixture
def inbox(alice: ExampleClient) -> Inbox:
    """34 Threads; the second has an older Email that is archived, the first one is the Big Reveal."""
    threads = []
    for number in range(32):
        threads.append(alice.import_(message(f"Old {number}"), received=f"2018-05-{number % 28 + 1:02}T00:00:00Z"))
    threads.sort(key=lambda made: str(alice.get("Email", made["id"], "receivedAt")["receivedAt"]), reverse=True)
    answered = alice.import_(
        message("Question", message_id="q@x"), mailboxes=[alice.mailbox("archive")], received="2018-06-01T00:00:00Z"
    )
    answer = alice.import_(
        message("Re: Question", message_id="a@x", references=["q@x"]), received="2018-06-26T00:00:00Z"
    )
    body = (
        f"--b\r\nContent-Type: text/plain\r\n\r\n{PREVIEW}\r\n--b\r\nContent-Type: application/pdf\r\n"
        "Content-Disposition: attachment\r\n\r\nPDF\r\n--b--"
    )
    big_reveal = alice.import_(
        message(
            "The Big Reveal",
            body,
            sender="Jane Doe <jdoe@example.com>",
            more="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b",
        ),
        keywords=["$seen", "$flagged"],
        received="2018-06-27T00:20:35Z",
    )
    box = alice.mailbox("inbox")
    queried = alice.call(
        "Email/query",
        filter={"inMailbox": box},
        sort=[{"isAscending": False, "property": "receivedAt"}],
        collapseThreads=True,
    )
    return Inbox(box, queried["ids"], big_reveal, answered, answer)


def test_4_10_first_login(alice: ExampleClient, inbox: Inbox) -> None:
    wanted = [
        "threadId", "mailboxIds", "keywords", "hasAttachment", "from", "subject", "receivedAt", "size", "preview",
    ]  # fmt: skip
    queried, ids, threads, emails = alice.send(
        ["Email/query", {**inbox.query(), "position": 0, "limit": 30, "calculateTotal": True}, "0"],
        ["Email/get", {"#ids": reference("0", "Email/query", "/ids"), "properties": ["threadId"]}, "1"],
        ["Thread/get", {"#ids": reference("1", "Email/get", "/list/*/threadId")}, "2"],
        ["Email/get", {"#ids": reference("2", "Thread/get", "/list/*/emailIds"), "properties": wanted}, "3"],
    )
    assert queried.pop("queryState")
    assert queried.pop("ids") == inbox.threads[:30]
    assert queried == {"accountId": alice.account, "canCalculateChanges": True, "position": 0, "total": 34}
    first, second = inbox.big_reveal, inbox.answer
    assert inbox.threads[:2] == [first["id"], second["id"]]
    rest = {"accountId": alice.account, "notFound": []}
    assert ids.pop("list")[:2] == [{"id": made["id"], "threadId": made["threadId"]} for made in (first, second)]
    assert ids == {**rest, "state": alice.state("Email")}
    listed = threads.pop("list")
    assert listed[:2] == [
        {"id": first["threadId"], "emailIds": [first["id"]]},
        {"id": second["threadId"], "emailIds": [inbox.answered["id"], second["id"]]},
    ]
    assert len(listed) == 30
    assert threads == {**rest, "state": alice.state("Thread")}
    found = emails.pop("list")
    assert emails == {**rest, "state": alice.state("Email")}
    assert [email["id"] for email in found] == [each for thread in listed for each in thread["emailIds"]]
    preview = found[0].pop("preview")
    assert preview.startswith("As you may be aware, we are required to prepare a presentation where we wow a panel")
    assert found[0] == {
        "id": first["id"],
        "threadId": first["threadId"],
        "mailboxIds": {inbox.id: True},
        "keywords": {"$seen": True, "$flagged": True},
        "hasAttachment": True,
        "from": [{"email": "jdoe@example.com", "name": "Jane Doe"}],
        "subject": "The Big Reveal",
        "receivedAt": "2018-06-27T00:20:35Z",
        "size": first["size"],
    }


def test_4_10_marking_an_email_as_unread(alice: ExampleClient, inbox: Inbox) -> None:
    state = alice.state("Email")
    [answer] = alice.send(["Email/set", {"update": {inbox.big_reveal["id"]: {"keywords/$seen": None}}}, "0"])
    assert answer == {
        "accountId": alice.account,
        "oldState": state,
        "newState": alice.state("Email"),
        "created": None,
        "updated": {inbox.big_reveal["id"]: None},
        "destroyed": None,
        "notCreated": None,
        "notUpdated": None,
        "notDestroyed": None,
    }
    assert answer["newState"] != state


def test_4_10_changes_while_away(alice: ExampleClient, inbox: Inbox) -> None:
    screen, below = inbox.threads[:30], inbox.threads[31]
    state, query_state = alice.state("Email"), alice.call("Email/query", **inbox.query())["queryState"]
    alice.call("Email/set", update={inbox.big_reveal["id"]: {"keywords/$seen": None}})
    deleted = [inbox.answer["id"], inbox.answered["id"], below]
    alice.call("Email/set", destroy=deleted)
    new = alice.import_(message("News"), received="2018-07-01T00:00:00Z")["id"]
    changes, query_changes = alice.send(
        ["Email/changes", {"sinceState": state, "maxChanges": 50}, "3"],
        [
            "Email/queryChanges",
            {
                **inbox.query(),
                "sinceQueryState": query_state,
                "upToId": screen[-1],
                "maxChanges": 25,
                "calculateTotal": True,
            },
            "11",
        ],
    )
    assert sorted(changes.pop("destroyed")) == sorted(deleted)
    assert changes == {
        "accountId": alice.account,
        "oldState": state,
        "newState": alice.state("Email"),
        "hasMoreChanges": False,
        "created": [new],
        "updated": [inbox.big_reveal["id"]],
    }
    removed = query_changes.pop("removed")
    assert query_changes == {
        "accountId": alice.account,
        "oldQueryState": query_state,
        "newQueryState": alice.call("Email/query", **inbox.query())["queryState"],
        "added": [{"id": new, "index": 0}],
        "total": 33,
    }
    # What is no longer in the results, and what never was in the cache, which is no matter (RFC 8620 §5.6).
    assert inbox.answer["id"] in removed
    assert not {inbox.big_reveal["id"], *screen[2:]} & set(removed)
    cached = [new, *(each for each in screen if each not in removed)]
    assert cached == alice.call("Email/query", **inbox.query(), limit=30)["ids"]


def test_4_10_moving_a_draft_to_another_account(alice: ExampleClient) -> None:
    team = alice.team()
    draft = alice.import_(message("World domination"), mailboxes=[alice.mailbox("drafts")], keywords=["$draft"])
    inbox, before, team_before = team.mailbox("inbox"), alice.state("Email"), team.state("Email")
    arguments = {
        "fromAccountId": alice.account,
        "accountId": team.account,
        "create": {"k45": {"id": draft["id"], "mailboxIds": {inbox: True}}},
        "onSuccessDestroyOriginal": True,
    }
    copied, destroyed = alice.responses(["Email/copy", arguments, "0"])
    made = copied[1]["created"]["k45"]
    assert copied == [
        "Email/copy",
        {
            "fromAccountId": alice.account,
            "accountId": team.account,
            "oldState": team_before,
            "newState": team.state("Email"),
            "created": {
                "k45": {
                    "id": made["id"],
                    "blobId": made["blobId"],
                    "threadId": made["threadId"],
                    "size": draft["size"],
                }
            },
            "notCreated": None,
        },
        "0",
    ]
    assert destroyed == [
        "Email/set",
        {
            "accountId": alice.account,
            "oldState": before,
            "newState": alice.state("Email"),
            "created": None,
            "updated": None,
            "destroyed": [draft["id"]],
            "notCreated": None,
            "notUpdated": None,
            "notDestroyed": None,
        },
        "0",
    ]
    assert alice.call("Email/get", ids=[draft["id"]])["notFound"] == [draft["id"]]
    assert team.get("Email", made["id"], "mailboxIds", "subject") == {
        "id": made["id"],
        "mailboxIds": {inbox: True},
        "subject": "World domination",
    }
