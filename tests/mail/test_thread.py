"""Threads (RFC 8621 §3): which Emails belong together, and what clients are told when that changes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from tests.mail.jmap import Client, message


def add(
    client: Client, name: str, references: Sequence[str] = (), subject: str = "Hello", **more: str
) -> dict[str, str]:
    octets = message(subject, message_id=f"{name}@x", references=[f"{one}@x" for one in references], **more)  # type: ignore[arg-type]
    made: dict[str, str] = client.import_(octets)
    return made


def state(client: Client, data_type: str) -> str:
    return str(client.call(f"{data_type}/get", ids=[])["state"])


def test_every_email_has_a_thread(alice: Client) -> None:
    made = alice.import_(b"X: no message id")
    assert alice.get("Thread", made["threadId"]) == {"id": made["threadId"], "emailIds": [made["id"]]}
    other = alice.import_(b"X: no message id either")
    assert other["threadId"] != made["threadId"]


def test_a_reply_is_in_the_thread_of_what_it_answers(alice: Client) -> None:
    first = add(alice, "a")
    reply = add(alice, "b", ["a"], "Re: Hello")
    assert reply["threadId"] == first["threadId"]
    assert alice.get("Thread", first["threadId"])["emailIds"] == [first["id"], reply["id"]]


@pytest.mark.parametrize("header", ["In-Reply-To: <a@x>", "References: <z@x> <a@x>", "References: <a@x>\r\n <z@x>"])
def test_any_of_the_three_header_fields_links(alice: Client, header: str) -> None:
    first = add(alice, "a")
    reply = alice.import_(message(message_id="b@x", more=header))
    assert reply["threadId"] == first["threadId"]


def test_two_answers_to_what_never_came_are_in_one_thread(alice: Client) -> None:
    assert add(alice, "b", ["a"])["threadId"] == add(alice, "c", ["a"])["threadId"]


def test_copies_of_one_message_are_in_one_thread(alice: Client) -> None:
    assert add(alice, "a")["threadId"] == add(alice, "a")["threadId"]


@pytest.mark.parametrize(
    "subject",
    ["Re: Hello", "RE: re: hello", "Fwd: Hello", "[list] Hello", "Re: [list] Hello", "  Hello ", "Hel lo", "AW: Hello"],
)
def test_prefixes_and_white_space_do_not_change_a_subject(alice: Client, subject: str) -> None:
    assert add(alice, "a")["threadId"] == add(alice, "b", ["a"], subject)["threadId"]


@pytest.mark.parametrize("subject", ["Goodbye", "Re: Goodbye", "", "Hello there"])
def test_another_subject_begins_another_thread(alice: Client, subject: str) -> None:
    first, other = add(alice, "a"), add(alice, "b", ["a"], subject)
    assert other["threadId"] != first["threadId"]
    assert add(alice, "c", ["b", "a"], f"Re: {subject}")["threadId"] == other["threadId"]
    assert add(alice, "d", ["b", "a"])["threadId"] == first["threadId"]


def test_the_same_subject_alone_does_not_make_a_thread(alice: Client) -> None:
    assert add(alice, "a")["threadId"] != add(alice, "b")["threadId"]


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_the_order_of_arrival_does_not_matter(alice: Client, order: tuple[str, ...]) -> None:
    references = {"a": "", "b": "a", "c": "ab"}
    for name in order:
        add(alice, name, references[name])
    threads = alice.call("Thread/get", ids=None)["list"]
    assert len(threads) == 1
    assert len(threads[0]["emailIds"]) == 3
    assert alice.faults() == []


def test_emails_are_in_the_order_of_their_received_at(alice: Client) -> None:
    made = {}
    for name, received in {"a": "2020-01-03", "b": "2020-01-01", "c": "2020-01-02", "d": "2020-01-02"}.items():
        octets = message(message_id=f"{name}@x", references=["root@x"])
        made[name] = alice.import_(octets, received=f"{received}T00:00:00Z")
    emails = alice.get("Thread", made["a"]["threadId"])["emailIds"]
    assert emails == [made[name]["id"] for name in "bcda"]
    assert alice.get("Thread", made["a"]["threadId"])["emailIds"] == emails


def test_an_email_that_joins_threads_makes_them_one(alice: Client) -> None:
    """The smaller one's Emails get new ids, for a threadId never changes; everything else about them stays."""
    kept, one = add(alice, "a"), add(alice, "b", ["a"])
    inbox, archive = alice.mailbox("inbox"), alice.mailbox("archive")
    lone = alice.import_(message(message_id="c@x"), mailboxes=[inbox, archive], keywords=["$seen", "work"])
    before = alice.get("Email", lone["id"])
    states = {name: state(alice, name) for name in ("Email", "Thread", "Mailbox")}
    joining = add(alice, "d", ["b", "c"])
    assert joining["threadId"] == kept["threadId"]
    changes = alice.call("Email/changes", sinceState=states["Email"])
    (new,) = set(changes["created"]) - {joining["id"]}
    assert changes["destroyed"] == [lone["id"]]
    assert changes["updated"] == []
    assert alice.get("Email", new) == before | {"id": new, "threadId": kept["threadId"]}
    assert alice.call("Email/get", ids=[lone["id"]])["notFound"] == [lone["id"]]
    threads = alice.call("Thread/changes", sinceState=states["Thread"])
    assert (threads["created"], threads["updated"], threads["destroyed"]) == (
        [],
        [kept["threadId"]],
        [lone["threadId"]],
    )
    assert set(alice.get("Thread", kept["threadId"])["emailIds"]) == {kept["id"], one["id"], new, joining["id"]}
    assert set(alice.call("Mailbox/changes", sinceState=states["Mailbox"])["updated"]) == {inbox, archive}
    assert alice.get("Mailbox", inbox, "totalEmails", "totalThreads") == {
        "id": inbox,
        "totalEmails": 4,
        "totalThreads": 1,
    }
    assert alice.call("Email/query", filter={"text": "hello", "hasKeyword": "work"})["ids"] == [new]
    assert alice.faults() == []


def test_the_octets_of_what_was_joined_are_kept(alice: Client) -> None:
    add(alice, "a")
    lone = add(alice, "b")
    add(alice, "c", ["a", "b"])
    server = alice.server
    assert server.store.account(alice.account).write(lambda tx: server.blobs.expire(tx, 1 << 40)) == 0
    emails = alice.call("Email/get", ids=None, properties=["blobId", "bodyValues"], fetchAllBodyValues=True)["list"]
    assert lone["blobId"] in [email["blobId"] for email in emails]
    assert all(email["bodyValues"] for email in emails)


def test_what_answers_one_of_the_joined_is_in_their_thread(alice: Client) -> None:
    kept, _, lone = add(alice, "a"), add(alice, "b", ["a"]), add(alice, "c")
    add(alice, "d", ["b", "c"])
    assert add(alice, "e", ["c"])["threadId"] == kept["threadId"] != lone["threadId"]
    assert alice.faults() == []


def test_of_equal_threads_the_oldest_stays(alice: Client) -> None:
    old, new = add(alice, "a"), add(alice, "b")
    joining = add(alice, "c", ["b", "a"])
    assert joining["threadId"] == old["threadId"] != new["threadId"]


def test_many_threads_may_be_joined_at_once(alice: Client) -> None:
    for name in "abcdef":
        add(alice, name)
    add(alice, "z", "abcdef")
    assert len(alice.call("Thread/get", ids=None)["list"]) == 1
    assert alice.get("Mailbox", "M1")["totalThreads"] == 1
    assert alice.faults() == []


def test_queries_are_told_of_a_joining(alice: Client) -> None:
    kept, _, lone = add(alice, "a"), add(alice, "b", ["a"]), add(alice, "c")
    query = {"filter": {"inMailbox": "M1"}, "collapseThreads": True}
    before = alice.call("Email/query", **query)
    assert set(before["ids"]) & {lone["id"]}
    add(alice, "d", ["a", "c"])
    changes = alice.call("Email/queryChanges", **query, sinceQueryState=before["queryState"])
    assert lone["id"] in changes["removed"]
    after = alice.call("Email/query", **query)["ids"]
    assert [item["id"] for item in changes["added"] if item["id"] in after] == after
    assert kept["threadId"] == alice.get("Email", after[0])["threadId"]


def test_a_thread_ends_with_its_last_email(alice: Client) -> None:
    a, b = add(alice, "a"), add(alice, "b", ["a"])
    alice.call("Email/set", destroy=[a["id"]])
    assert alice.get("Thread", a["threadId"])["emailIds"] == [b["id"]]
    assert add(alice, "c", ["a"])["threadId"] == a["threadId"]
    alice.call("Email/set", destroy=alice.get("Thread", a["threadId"])["emailIds"])
    assert alice.call("Thread/get", ids=[a["threadId"]])["notFound"] == [a["threadId"]]
    assert add(alice, "d", ["a"])["threadId"] != a["threadId"]
    assert alice.faults() == []


def test_thread_has_no_other_methods(alice: Client) -> None:
    for method in ("set", "query", "queryChanges", "copy"):
        assert alice.error(f"Thread/{method}") == "unknownMethod"
