"""Email/import (RFC 8621 §4.8)."""

from __future__ import annotations

from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail import MailSettings
from tests.mail.jmap import BOB, Client, Server, message


def import_(client: Client, **email: Any) -> dict[str, Any]:
    return client.call("Email/import", emails={"k": email})


def failure(client: Client, **email: Any) -> dict[str, Any]:
    before = client.call("Email/get", ids=[])["state"]
    answer = import_(client, **email)
    assert answer["created"] is None, answer
    assert answer["oldState"] == answer["newState"] == before == client.call("Email/get", ids=[])["state"]
    error: dict[str, Any] = answer["notCreated"]["k"]
    return error


def test_the_answer_has_what_it_must(alice: Client) -> None:
    before = alice.call("Email/get", ids=[])["state"]
    octets = message()
    answer = import_(alice, blobId=alice.upload(octets), mailboxIds={"M1": True})
    assert answer.keys() == {"accountId", "oldState", "newState", "created", "notCreated"}
    assert (answer["accountId"], answer["oldState"], answer["notCreated"]) == (alice.account, before, None)
    assert answer["newState"] == alice.call("Email/get", ids=[])["state"] != before
    made = answer["created"]["k"]
    assert made == alice.get("Email", made["id"], "blobId", "threadId", "size")
    assert made["size"] == len(octets)


def test_what_is_given_is_applied(alice: Client) -> None:
    made = import_(
        alice,
        blobId=alice.upload(message()),
        mailboxIds={"M1": True, "M2": True},
        keywords={"$Seen": True, "work": True},
        receivedAt="2020-01-01T10:00:00.9Z",
    )["created"]["k"]["id"]
    found = alice.get("Email", made, "mailboxIds", "keywords", "receivedAt")
    assert found["mailboxIds"] == {"M1": True, "M2": True}
    assert found["keywords"] == {"$seen": True, "work": True}
    assert found["receivedAt"] == "2020-01-01T10:00:00Z"


RECEIVED = "Received: from a by b; "


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            f"{RECEIVED}Wed, 01 Jan 2020 12:00:00 +0200\r\n{RECEIVED}Tue, 31 Dec 2019 00:00:00 +0000",
            "2020-01-01T10:00:00Z",
        ),
        (f"{RECEIVED}nonsense\r\n{RECEIVED}Wed, 01 Jan 2020 12:00:00 +0000", "2020-01-01T12:00:00Z"),
        ("", "2023-11-14T22:13:20Z"),
        ("Received: nonsense", "2023-11-14T22:13:20Z"),
        (f"{RECEIVED}Fri, 31 Dec 9999 23:59:59 -2300", "9999-12-31T23:59:59Z"),
    ],
)
def test_received_at_is_the_topmost_received_field_s_or_now(alice: Client, more: str, expected: str) -> None:
    octets = (f"{more}\r\n" if more else "").encode() + message()
    made = import_(alice, blobId=alice.upload(octets), mailboxIds={"M1": True})["created"]["k"]["id"]
    assert alice.get("Email", made)["receivedAt"] == expected


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [({"blobId": None}, ["blobId"]), ({"blobId": 1}, ["blobId"]), ({"blobId": "nothing"}, ["blobId"]),
     ({"blobId": "G" + "0" * 64}, ["blobId"]), ({"blobId": "E1"}, ["blobId"]),
     ({"mailboxIds": None}, ["mailboxIds"]), ({"mailboxIds": {}}, ["mailboxIds"]), ({"mailboxIds": []}, ["mailboxIds"]),
     ({"mailboxIds": {"M1": False}}, ["mailboxIds"]), ({"mailboxIds": {"M1": True, "M99": True}}, ["mailboxIds"]),
     ({"mailboxIds": {"#none": True}}, ["mailboxIds"]), ({"keywords": None}, ["keywords"]),
     ({"keywords": ["$seen"]}, ["keywords"]), ({"keywords": {"a b": True}}, ["keywords"]),
     ({"keywords": {"a": False}}, ["keywords"]), ({"receivedAt": None}, ["receivedAt"]),
     ({"receivedAt": "yesterday"}, ["receivedAt"]), ({"receivedAt": "2020-01-01T00:00:00+01:00"}, ["receivedAt"]),
     ({"subject": "x"}, ["subject"]), ({"id": "E1"}, ["id"]),
     ({"blobId": None, "mailboxIds": None, "keywords": 1, "receivedAt": 1, "x": 1},
      ["blobId", "keywords", "mailboxIds", "receivedAt", "x"])],
)  # fmt: skip
def test_every_property_that_is_invalid_is_named(alice: Client, changes: dict[str, Any], wrong: list[str]) -> None:
    error = failure(alice, **{"blobId": alice.upload(message()), "mailboxIds": {"M1": True}, **changes})
    assert (error["type"], error["properties"]) == ("invalidProperties", wrong)


def test_blob_and_mailboxes_are_required(alice: Client) -> None:
    assert failure(alice)["properties"] == ["blobId", "mailboxIds"]


@pytest.mark.parametrize("emails", [None, [], {"k": None}, {"k": 1}, {"": {}}, {"a b": {}}, "x"])
def test_emails_of_the_wrong_kind_are_refused(alice: Client, emails: Any) -> None:
    assert alice.error("Email/import", emails=emails) == "invalidArguments"


def test_other_arguments_are_refused(alice: Client) -> None:
    assert alice.error("Email/import") == "invalidArguments"
    assert alice.error("Email/import", emails={}, nonsense=1) == "invalidArguments"
    assert alice.call("Email/import", emails={})["created"] is None


def test_if_in_state_must_match(alice: Client) -> None:
    email = {"blobId": alice.upload(message()), "mailboxIds": {"M1": True}}
    now = alice.call("Email/get", ids=[])["state"]
    assert alice.error("Email/import", ifInState="old", emails={"k": email}) == "stateMismatch"
    assert alice.call("Email/get", ids=None)["list"] == []
    assert alice.call("Email/import", ifInState=now, emails={"k": email})["created"]
    assert alice.error("Email/import", ifInState=now, emails={"k": email}) == "stateMismatch"


def test_too_many_at_once_are_too_large(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", limits=Limits(max_objects_in_set=2))
    client = server.client()
    assert client.error("Email/import", emails={"a": {}, "b": {}, "c": {}}) == "requestTooLarge"
    assert client.call("Email/import", emails={"a": {}, "b": {}})["notCreated"].keys() == {"a", "b"}
    server.close()


def test_each_email_succeeds_or_fails_by_itself(alice: Client) -> None:
    blob = alice.upload(message())
    answer = alice.call(
        "Email/import",
        emails={"good": {"blobId": blob, "mailboxIds": {"M1": True}}, "bad": {"blobId": blob, "mailboxIds": {}}},
    )
    assert (answer["created"].keys(), answer["notCreated"].keys()) == ({"good"}, {"bad"})
    assert alice.faults() == []


def test_a_message_may_be_there_twice(alice: Client) -> None:
    """Duplicates are allowed: each has an id and mutable properties of its own."""
    octets = message(message_id="same@x")
    first, second = alice.import_(octets), alice.import_(octets)
    assert first["id"] != second["id"]
    assert (first["blobId"], first["threadId"]) == (second["blobId"], second["threadId"])
    alice.call("Email/set", update={first["id"]: {"keywords/$seen": True, "mailboxIds": {"M2": True}}})
    assert alice.get("Email", second["id"], "keywords", "mailboxIds") == {
        "id": second["id"],
        "keywords": {},
        "mailboxIds": {"M1": True},
    }
    alice.call("Email/set", destroy=[first["id"]])
    found = alice.get("Email", second["id"], "bodyValues", fetchAllBodyValues=True)
    assert found["bodyValues"]["1"]["value"]


def test_creation_ids_hold_for_the_calls_that_follow(alice: Client) -> None:
    email = {"blobId": alice.upload(message()), "mailboxIds": {"#box": True}}
    answer = alice.request(
        ["Mailbox/set", {"accountId": alice.account, "create": {"box": {"name": "New"}}}, "0"],
        ["Email/import", {"accountId": alice.account, "emails": {"k": email}}, "1"],
        ["Email/set", {"accountId": alice.account, "update": {"#k": {"keywords/$seen": True}}}, "2"],
        createdIds={},
    )
    responses = [response[1] for response in answer["methodResponses"]]
    made, box = responses[1]["created"]["k"]["id"], responses[0]["created"]["box"]["id"]
    assert responses[2]["updated"] == {made: None}
    assert alice.get("Email", made)["mailboxIds"] == {box: True}
    assert answer["createdIds"] == {"box": box, "k": made}


def test_an_attached_message_may_be_imported_by_its_part_s_blob(alice: Client) -> None:
    inner = message("Inner", "Inside.")
    body = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--"
    outer = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nSubject: Outer\r\n\r\n" + body
    part = alice.get("Email", alice.import_(outer)["id"], "attachments")["attachments"][0]
    made = import_(alice, blobId=part["blobId"], mailboxIds={"M1": True})["created"]["k"]
    assert made["size"] == part["size"]
    assert alice.get("Email", made["id"])["subject"] == "Inner"
    again = import_(alice, blobId=made["blobId"], mailboxIds={"M1": True})["created"]["k"]
    assert again["blobId"] == made["blobId"]


def test_a_part_that_is_encoded_is_decoded_first(alice: Client) -> None:
    outer = (
        b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"U3ViamVjdDogSW5uZXINCg0KYm9keQ==\r\n"
    )
    part = alice.get("Email", alice.import_(outer)["id"], "attachments")["attachments"][0]
    made = import_(alice, blobId=part["blobId"], mailboxIds={"M1": True})["created"]["k"]
    assert (alice.get("Email", made["id"])["subject"], made["size"]) == ("Inner", 22)


def test_another_s_upload_cannot_be_imported(server: Server, alice: Client) -> None:
    """Nor one's own from another account."""
    team = next(number for number, account in alice.session["accounts"].items() if not account["isPersonal"])
    bob = server.client(BOB)
    bob.account = team
    foreign, own = bob.upload(message()), alice.upload(message())
    alice.account = team
    for blob in (foreign, own):
        assert failure(alice, blobId=blob, mailboxIds={alice.mailbox("inbox"): True})["properties"] == ["blobId"]


def test_a_blob_without_a_header_field_is_no_email(alice: Client) -> None:
    for octets in (b"", b"Just text\r\n", b"\r\nSubject: no header\r\n", bytes(range(256))):
        assert failure(alice, blobId=alice.upload(octets), mailboxIds={"M1": True})["type"] == "invalidEmail"


def test_a_message_that_is_too_large_is_refused(tmp_path: Any) -> None:
    server = Server(tmp_path / "limited", settings=MailSettings(max_size_email=300, max_keywords_per_email=1))
    client = server.client()
    blob = client.upload(message(body="x" * 300))
    assert failure(client, blobId=blob, mailboxIds={"M1": True})["type"] == "tooLarge"
    blob = client.upload(message(body="x"))
    many = {"a": True, "b": True}
    assert failure(client, blobId=blob, mailboxIds={"M1": True}, keywords=many)["type"] == "tooManyKeywords"
    server.close()


@pytest.mark.parametrize(
    ("octets", "subject"),
    [
        (b"x:", None),
        (b"Subject:\0\0x\0\r\n\0", "x"),
        (b"Subject: x\r\n\xff\xfe\r\n\r\n\xff", "x"),
        ("Subject: Grüße\r\nFrom: Jörg <jörg@bücher.example>\r\n\r\n".encode(), "Grüße"),
    ],
)
def test_any_octets_that_begin_with_a_header_field_are_a_message(
    alice: Client, octets: bytes, subject: str | None
) -> None:
    """Headers in UTF-8 too (RFC 6532)."""
    made = alice.import_(octets)
    assert alice.get("Email", made["id"], "subject")["subject"] == subject
    assert made["size"] == len(octets)
