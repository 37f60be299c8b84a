"""Email/parse (RFC 8621 §4.9): blobs read as messages, and messages within messages."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from jmaplite.core import blobid
from jmaplite.datatypes.mail import MailSettings
from jmaplite.formats import mime
from tests.mail.jmap import Client, Server, message

DEFAULT = {
    "messageId", "inReplyTo", "references", "sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt",
    "hasAttachment", "preview", "bodyValues", "textBody", "htmlBody", "attachments",
}  # fmt: skip


def parse(client: Client, blob_id: str, **arguments: Any) -> dict[str, Any]:
    """The one Email in a blob."""
    answer = client.call("Email/parse", blobIds=[blob_id], **arguments)
    assert answer["notFound"] is None
    assert answer["notParsable"] is None
    found: dict[str, Any] = answer["parsed"][blob_id]
    return found


def octets_of(client: Client, blob_id: str) -> bytes:
    """What a download of a blob gives."""
    ref = blobid.parse(blob_id)
    assert ref is not None
    with client.server.store.account(client.account).read() as tx:
        octets = client.server.blobs.read(tx, ref.digest, ref.start or 0, ref.length)
    found = ref.decoded(octets, mime.decode)
    assert found is not None
    return found


def wrapped(octets: bytes, encoding: str = "", kind: str = "message/rfc822") -> bytes:
    """A message with another attached."""
    if encoding == "base64":
        octets = base64.encodebytes(octets).replace(b"\n", b"\r\n")
    head = f"Subject: outer\r\nContent-Type: multipart/mixed; boundary=bb{len(octets)}\r\n\r\n--bb{len(octets)}\r\n"
    inner = f"Content-Type: {kind}\r\n" + (f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else "") + "\r\n"
    return (head + inner).encode() + octets + f"\r\n--bb{len(octets)}--\r\n".encode()


def attached(client: Client, blob_id: str) -> str:
    """The blobId of the only attachment of a message."""
    [part] = parse(client, blob_id, properties=["attachments"])["attachments"]
    return str(part["blobId"])


def test_an_uploaded_message_is_read_with_the_default_properties(alice: Client) -> None:
    found = parse(alice, alice.upload(message("Grüße", "the body")), fetchTextBodyValues=True)
    assert found.keys() == DEFAULT
    assert (found["subject"], found["preview"], found["hasAttachment"]) == ("Grüße", "the body", False)
    assert found["bodyValues"]["1"]["value"] == "the body\n"


def test_it_reads_what_email_get_reads(alice: Client) -> None:
    octets = wrapped(message("Inner", more="Cc: Group: a@b, c@d;"), "base64")
    properties = [*DEFAULT, "blobId", "size", "headers", "bodyStructure", "header:Subject", "header:subject:asText:all"]
    made = alice.import_(octets)
    expected = alice.get("Email", made["id"], *properties, fetchAllBodyValues=True)
    del expected["id"]
    assert parse(alice, made["blobId"], properties=properties, fetchAllBodyValues=True) == expected


def test_what_only_a_mail_store_knows_is_null(alice: Client) -> None:
    names = ["id", "mailboxIds", "keywords", "receivedAt", "threadId"]
    assert parse(alice, alice.upload(message()), properties=names) == dict.fromkeys(names)


def test_only_the_properties_asked_for_are_told(alice: Client) -> None:
    found = parse(alice, alice.upload(message("Hi")), properties=["subject", "header:SUBJECT:asText"])
    assert found == {"subject": "Hi", "header:SUBJECT:asText": "Hi"}


def test_an_attached_message_is_read_by_its_part(alice: Client) -> None:
    inner = message("Inner", "inner body")
    made = alice.import_(wrapped(inner))
    blob_id = alice.get("Email", made["id"], "attachments")["attachments"][0]["blobId"]
    found = parse(alice, blob_id, properties=["subject", "size", "blobId", "textBody"])
    assert (found["subject"], found["size"], found["blobId"]) == ("Inner", len(inner), blob_id)
    assert octets_of(alice, found["textBody"][0]["blobId"]) == b"inner body\r\n"


def test_a_part_of_an_unencoded_attached_message_is_a_part_of_the_outermost_blob(alice: Client) -> None:
    outermost = alice.upload(wrapped(wrapped(message("x", "deep")), kind="message/rfc822"))
    middle = attached(alice, outermost)
    inner = attached(alice, middle)
    part = parse(alice, inner, properties=["textBody"])["textBody"][0]["blobId"]
    assert part.count("-") == 3
    assert octets_of(alice, part) == b"deep\r\n"


@pytest.mark.parametrize("encodings", [["base64"], ["base64", "base64"], ["base64", "", "base64"], ["", "base64", ""]])
def test_parts_within_encoded_messages_are_reached(alice: Client, encodings: list[str]) -> None:
    octets = message("deepest", "deep body")
    for encoding in encodings:
        octets = wrapped(octets, encoding)
    blob_id = alice.upload(octets)
    for _ in encodings:
        blob_id = attached(alice, blob_id)
    found = parse(alice, blob_id, properties=["subject", "textBody"], fetchTextBodyValues=True)
    assert found["subject"] == "deepest"
    part = found["textBody"][0]["blobId"]
    assert octets_of(alice, part) == b"deep body\r\n"
    answer = alice.call(
        "Email/set",
        create={
            "k": {"mailboxIds": {alice.mailbox("drafts"): True}, "attachments": [{"blobId": part}, {"blobId": blob_id}]}
        },
    )
    sizes = alice.get("Email", answer["created"]["k"]["id"], "attachments")["attachments"]
    assert [part["size"] for part in sizes] == [11, len(octets_of(alice, blob_id))]


def test_an_attached_message_can_be_imported(alice: Client) -> None:
    blob_id = attached(alice, attached(alice, alice.upload(wrapped(wrapped(message("Inner"), "base64"), "base64"))))
    answer = alice.call("Email/import", emails={"k": {"blobId": blob_id, "mailboxIds": {alice.mailbox("inbox"): True}}})
    assert alice.get("Email", answer["created"]["k"]["id"], "subject")["subject"] == "Inner"


def test_a_message_whose_parts_no_blob_id_could_name_is_not_parsable(alice: Client) -> None:
    octets = message("deepest")
    for _ in range(8):
        octets = wrapped(octets, "base64")
    blob_id = alice.upload(octets)
    for _ in range(blobid.MOST_CUTS):
        blob_id = attached(alice, blob_id)
    answer = alice.call("Email/parse", blobIds=[blob_id])
    assert (answer["parsed"], answer["notParsable"], answer["notFound"]) == (None, [blob_id], None)


@pytest.mark.parametrize("octets", [b"", b"\x89PNG\r\n\x1a\n\0\0", b"just some text\r\n\r\nand more", b"\r\n\r\nbody"])
def test_what_does_not_begin_with_a_header_field_is_not_parsable(alice: Client, octets: bytes) -> None:
    blob_id = alice.upload(octets)
    answer = alice.call("Email/parse", blobIds=[blob_id])
    assert (answer["parsed"], answer["notParsable"], answer["notFound"]) == (None, [blob_id], None)


def test_blobs_that_are_not_there_are_not_found(alice: Client, bob: Client) -> None:
    there = alice.upload(message())
    ids = ["nonsense", "G" + "0" * 64, bob.upload(message()), f"{there}-0-ffff-n", f"{there}-ffff-1-n"]
    answer = alice.call("Email/parse", blobIds=[*ids, there, there])
    assert answer["notFound"] == ids
    assert list(answer["parsed"]) == [there]


def test_more_blobs_than_the_limit_are_too_many(server: Server) -> None:
    alice = server.client()
    assert alice.error("Email/parse", blobIds=[f"G{number}" for number in range(11)]) == "requestTooLarge"
    assert len(alice.call("Email/parse", blobIds=[f"G{number}" for number in range(10)])["notFound"]) == 10
    assert MailSettings().max_parse_items == 10


@pytest.mark.parametrize(
    "arguments",
    [
        {"properties": ["header:From:asDate"]},
        {"properties": ["nonsense"]},
        {"bodyProperties": ["header:From:asDate"]},
        {"bodyProperties": ["nonsense"]},
        {"fetchAllBodyValues": 1},
        {"maxBodyValueBytes": -1},
        {"blobIds": None},
        {"blobIds": "G1"},
        {"unknown": 1},
    ],
)
def test_wrong_arguments_are_refused(alice: Client, arguments: dict[str, Any]) -> None:
    assert alice.error("Email/parse", **{"blobIds": [], **arguments}) == "invalidArguments"


def test_body_values_are_truncated_as_asked(alice: Client) -> None:
    found = parse(alice, alice.upload(message(body="Grüße")), fetchTextBodyValues=True, maxBodyValueBytes=3)
    assert found["bodyValues"]["1"] == {"value": "Gr", "isTruncated": True, "isEncodingProblem": False}


def test_a_message_with_utf8_headers_is_read(alice: Client) -> None:
    octets = "From: Jörg <jörg@bücher.example>\r\nSubject: Grüße\r\n\r\n".encode()
    found = parse(alice, alice.upload(octets))
    assert found["from"] == [{"name": "Jörg", "email": "jörg@bücher.example"}]
    assert found["subject"] == "Grüße"
