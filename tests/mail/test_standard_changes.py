"""Foo/changes (RFC 8620 §5.2), by way of the types of mail."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from tests.mail.jmap import Client, Server, message

TYPES = ["Mailbox", "Thread", "Email"]


def state(client: Client, data_type: str) -> str:
    return str(client.call(f"{data_type}/get", ids=[])["state"])


def changes(client: Client, data_type: str, since: str, **more: Any) -> dict[str, Any]:
    return client.call(f"{data_type}/changes", sinceState=since, **more)


def told(answer: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    return answer["created"], answer["updated"], answer["destroyed"]


@pytest.mark.parametrize("data_type", TYPES)
def test_without_a_change_there_is_none(alice: Client, data_type: str) -> None:
    since = state(alice, data_type)
    answer = changes(alice, data_type, since)
    assert answer["accountId"] == alice.account
    assert (answer["oldState"], answer["newState"], answer["hasMoreChanges"]) == (since, since, False)
    assert told(answer) == ([], [], [])
    assert ("updatedProperties" in answer) == (data_type == "Mailbox")


def test_created_updated_and_destroyed_are_told_apart(alice: Client) -> None:
    changed, gone = alice.import_(message())["id"], alice.import_(message())["id"]
    since = state(alice, "Email")
    made = alice.import_(message())["id"]
    alice.call("Email/set", update={changed: {"keywords/$seen": True}}, destroy=[gone])
    answer = changes(alice, "Email", since)
    assert told(answer) == ([made], [changed], [gone])
    assert answer["newState"] == state(alice, "Email")


def test_what_was_made_and_changed_is_told_as_made_only(alice: Client) -> None:
    since = state(alice, "Email")
    made = alice.import_(message())["id"]
    alice.call("Email/set", update={made: {"keywords/$seen": True}})
    assert told(changes(alice, "Email", since)) == ([made], [], [])


def test_what_was_changed_and_destroyed_is_told_as_destroyed_only(alice: Client) -> None:
    gone = alice.import_(message())["id"]
    since = state(alice, "Email")
    alice.call("Email/set", update={gone: {"keywords/$seen": True}})
    alice.call("Email/set", destroy=[gone])
    assert told(changes(alice, "Email", since)) == ([], [], [gone])


def test_what_was_made_and_destroyed_is_not_told(alice: Client) -> None:
    since = state(alice, "Email")
    gone = alice.import_(message())["id"]
    alice.call("Email/set", destroy=[gone])
    answer = changes(alice, "Email", since)
    assert told(answer) == ([], [], [])
    assert answer["newState"] == state(alice, "Email") != since
    made = alice.import_(message())["id"]
    alice.call("Email/set", destroy=[alice.import_(message())["id"]])
    answer = changes(alice, "Email", since)
    assert told(answer) == ([made], [], [])
    assert (answer["newState"], answer["hasMoreChanges"]) == (state(alice, "Email"), False)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_paging_never_exceeds_max_changes_and_comes_to_the_end(alice: Client, most: int) -> None:
    old = [alice.import_(message())["id"] for _ in range(4)]
    since = state(alice, "Email")
    made = [alice.import_(message())["id"] for _ in range(3)]
    alice.call(
        "Email/set", update={old[0]: {"keywords/$seen": True}, made[0]: {"keywords/$seen": True}}, destroy=old[2:]
    )
    pages = []
    while True:
        answer = changes(alice, "Email", since, maxChanges=most)
        assert sum(map(len, told(answer))) <= most
        pages.append(told(answer))
        since = answer["newState"]
        if not answer["hasMoreChanges"]:
            break
        assert sum(map(len, told(answer))) > 0
    assert since == state(alice, "Email")
    seen: dict[str, str] = {}
    for created, updated, destroyed in pages:
        assert not set(created) & seen.keys()
        assert all(seen.get(number) != "destroyed" for number in updated)
        seen |= dict.fromkeys(created, "created") | dict.fromkeys(updated, "updated")
        seen |= dict.fromkeys(destroyed, "destroyed")
    assert {number for number, last in seen.items() if last == "destroyed"} == set(old[2:])
    assert set(made) | {old[0]} == {number for number, last in seen.items() if last != "destroyed"}


def test_the_server_s_own_limit_holds_without_max_changes(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_changes=2))
    client = server.client()
    since = state(client, "Email")
    made = [client.import_(message())["id"] for _ in range(3)]
    for asked in ({}, {"maxChanges": None}, {"maxChanges": 100}):
        answer = changes(client, "Email", since, **asked)
        assert (answer["created"], answer["hasMoreChanges"]) == (made[:2], True)
    assert changes(client, "Email", answer["newState"])["created"] == made[2:]
    server.close()


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("most", [0, -1, "1", 1.5])
def test_max_changes_must_be_positive(alice: Client, data_type: str, most: Any) -> None:
    since = state(alice, data_type)
    assert alice.error(f"{data_type}/changes", sinceState=since, maxChanges=most) == "invalidArguments"


@pytest.mark.parametrize("data_type", TYPES)
def test_since_state_must_be_there_and_a_string(alice: Client, data_type: str) -> None:
    for arguments in ({}, {"sinceState": None}, {"sinceState": 1}):
        assert alice.error(f"{data_type}/changes", **arguments) == "invalidArguments"


@pytest.mark.parametrize("data_type", TYPES)
def test_from_a_state_that_never_was_changes_cannot_be_calculated(alice: Client, data_type: str) -> None:
    now = state(alice, data_type)
    epoch, _, value = now.rpartition("-")
    unknown = ["", "x", "-", value, f"other-{value}", f"{epoch}-", f"{epoch}-{int(value) + 1}", f"{epoch}-0{value}",
               f"{epoch}--1", f"{epoch}-{'9' * 30}", f"{epoch}-٣", now + " "]  # fmt: skip
    for since in unknown:
        assert alice.error(f"{data_type}/changes", sinceState=since) == "cannotCalculateChanges", since


def test_only_counts_of_a_mailbox_have_changed_says_updated_properties(alice: Client) -> None:
    inbox = alice.mailbox("inbox")
    since = state(alice, "Mailbox")
    alice.import_(message())
    answer = changes(alice, "Mailbox", since)
    assert told(answer) == ([], [inbox], [])
    assert sorted(answer["updatedProperties"]) == ["totalEmails", "totalThreads", "unreadEmails", "unreadThreads"]
    reference = {"resultOf": "0", "name": "Mailbox/changes", "path": "/updatedProperties"}
    response = alice.request(
        ["Mailbox/changes", {"accountId": alice.account, "sinceState": since}, "0"],
        ["Mailbox/get", {"accountId": alice.account, "ids": [inbox], "#properties": reference}, "1"],
    )["methodResponses"]
    assert response[1][1]["list"][0]["totalEmails"] == 1
    assert "name" not in response[1][1]["list"][0]


@pytest.mark.parametrize("change", [{"name": "Other"}, {"sortOrder": 9}, {"isSubscribed": False}, {"role": None}])
def test_updated_properties_is_null_when_anything_else_changed(alice: Client, change: dict[str, Any]) -> None:
    junk = alice.mailbox("junk")
    since = state(alice, "Mailbox")
    alice.import_(message())
    alice.call("Mailbox/set", update={junk: change})
    answer = changes(alice, "Mailbox", since)
    assert set(answer["updated"]) == {alice.mailbox("inbox"), junk}
    assert answer["updatedProperties"] is None


def test_a_mailbox_whose_name_and_counts_changed_is_told_once(alice: Client) -> None:
    inbox = alice.mailbox("inbox")
    since = state(alice, "Mailbox")
    alice.import_(message())
    alice.call("Mailbox/set", update={inbox: {"name": "Other"}})
    alice.import_(message())
    answer = changes(alice, "Mailbox", since)
    assert told(answer) == ([], [inbox], [])
    assert answer["updatedProperties"] is None


def test_updated_properties_speaks_of_the_updated_only(alice: Client) -> None:
    """A Mailbox that was made or destroyed is told beside those whose counts changed."""
    since = state(alice, "Mailbox")
    assert changes(alice, "Mailbox", since)["updatedProperties"] is None
    made = alice.call("Mailbox/set", create={"k": {"name": "New"}})["created"]["k"]["id"]
    assert changes(alice, "Mailbox", since)["updatedProperties"] is None
    alice.import_(message())
    answer = changes(alice, "Mailbox", since)
    assert (answer["created"], answer["updated"]) == ([made], [alice.mailbox("inbox")])
    assert "totalEmails" in answer["updatedProperties"]


def test_a_thread_is_updated_when_an_email_enters_or_leaves(alice: Client) -> None:
    first = alice.import_(message(message_id="a@x"))
    since = state(alice, "Thread")
    second = alice.import_(message(message_id="b@x", references=["a@x"]))
    assert second["threadId"] == first["threadId"]
    answer = changes(alice, "Thread", since)
    assert told(answer) == ([], [first["threadId"]], [])
    since = answer["newState"]
    alice.call("Email/set", update={first["id"]: {"keywords/$seen": True}})
    assert told(changes(alice, "Thread", since)) == ([], [], [])
    alice.call("Email/set", destroy=[second["id"]])
    answer = changes(alice, "Thread", since)
    assert told(answer) == ([], [first["threadId"]], [])
    alice.call("Email/set", destroy=[first["id"]])
    assert told(changes(alice, "Thread", answer["newState"])) == ([], [], [first["threadId"]])


def delivery_state(client: Client) -> int:
    with client.server.store.account(client.account).read() as tx:
        return tx.state("EmailDelivery")


def test_the_state_of_email_delivery_changes_only_when_an_email_is_added(alice: Client) -> None:
    before = delivery_state(alice)
    made = alice.import_(message())["id"]
    added = delivery_state(alice)
    assert added > before
    alice.call("Email/set", update={made: {"keywords/$seen": True}})
    alice.call("Email/set", update={made: {"mailboxIds": {alice.mailbox("archive"): True}}})
    alice.call("Mailbox/set", destroy=[alice.mailbox("archive")], onDestroyRemoveEmails=True)
    assert delivery_state(alice) == added
