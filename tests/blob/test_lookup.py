"""Blob/lookup (RFC 9404 §4.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.blob import BLOB
from tests.blob.client import BlobClient
from tests.mail.jmap import ALICE, CORE, Server, message

ALL = ["Mailbox", "Thread", "Email"]
NOTHING: dict[str, list[str]] = {name: [] for name in ALL}


def matched(client: BlobClient, blob_id: str) -> dict[str, list[str]]:
    """What refers to a blob."""
    answer = client.call("Blob/lookup", typeNames=ALL, ids=[blob_id])
    assert answer["notFound"] == []
    assert [info["id"] for info in answer["list"]] == [blob_id]
    found: dict[str, list[str]] = answer["list"][0]["matchedIds"]
    return found


def with_attachments() -> bytes:
    """A message that has a text, a picture, and a message with a text of its own."""
    inner = message("Inner", "inner text").decode()
    return message(
        more='MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"',
        body=(
            "--b\r\nContent-Type: text/plain\r\n\r\nouter text\r\n"
            "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n"
            f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--"
        ),
    )


def test_every_body_part_of_an_email_is_found_and_what_is_in_a_message_attached(alice: BlobClient) -> None:
    made = alice.import_(with_attachments())
    alice.import_(message())
    expected = {"Mailbox": [alice.mailbox("inbox")], "Thread": [made["threadId"]], "Email": [made["id"]]}
    parts = alice.get("Email", made["id"], "bodyStructure")["bodyStructure"]["subParts"]
    inner = alice.call("Email/parse", blobIds=[parts[2]["blobId"]])["parsed"][parts[2]["blobId"]]

    assert matched(alice, made["blobId"]) == expected
    for part in (*parts, *inner["textBody"]):
        assert matched(alice, part["blobId"]) == expected


def test_what_is_no_part_of_a_message_is_not_found(alice: BlobClient) -> None:
    made = alice.import_(with_attachments())

    assert matched(alice, f"{made['blobId']}-0-5-n") == NOTHING


def test_an_email_that_is_gone_or_elsewhere_is_not_found(alice: BlobClient) -> None:
    inbox, archive = alice.mailbox("inbox"), alice.mailbox("archive")
    made = alice.import_(message(), mailboxes=[inbox])

    alice.call("Email/set", update={made["id"]: {"mailboxIds": {archive: True}}})
    assert matched(alice, made["blobId"])["Mailbox"] == [archive]
    alice.call("Email/set", destroy=[made["id"]])
    assert matched(alice, made["blobId"]) == NOTHING


def test_threads_that_became_one_are_found_as_one(alice: BlobClient) -> None:
    first = alice.import_(message(message_id="one@x"))
    second = alice.import_(message(message_id="two@x"))
    joining = alice.import_(message(message_id="three@x", references=["one@x", "two@x"]))

    for made in (first, second, joining):
        found = matched(alice, made["blobId"])
        assert found["Thread"] == [joining["threadId"]]
        assert len(found["Email"]) == 1
        assert alice.get("Email", found["Email"][0], "blobId")["blobId"] == made["blobId"]


def test_nothing_tells_a_blob_that_is_there_from_one_that_is_not(alice: BlobClient, bob: BlobClient) -> None:
    made = bob.import_(message())
    upload = bob.team().upload(b"unreferenced")

    assert matched(alice, made["blobId"]) == NOTHING
    assert matched(alice.team(), upload) == NOTHING
    assert matched(alice, "G" + "0" * 64) == NOTHING


def test_only_the_types_asked_for_are_answered(alice: BlobClient) -> None:
    made = alice.import_(message())

    answer = alice.call("Blob/lookup", typeNames=["Thread", "Thread"], ids=[made["blobId"]] * 2)

    assert answer["list"] == [{"id": made["blobId"], "matchedIds": {"Thread": [made["threadId"]]}}]


def test_a_blob_may_be_named_by_its_creation_id(alice: BlobClient) -> None:
    blob_id = alice.import_(message())["blobId"]

    call = ["Blob/lookup", {"accountId": alice.account, "typeNames": ["Email"], "ids": ["#k"]}, "c"]
    answer = alice.request(call, createdIds={"k": blob_id})["methodResponses"][0][1]

    assert answer["list"][0]["id"] == blob_id
    assert len(answer["list"][0]["matchedIds"]["Email"]) == 1


@pytest.mark.parametrize("name", ["Email", "Foo", "SearchSnippet", "Identity", "Quota", ""])
def test_a_type_is_unknown_unless_the_request_uses_its_capability(alice: BlobClient, name: str) -> None:
    call = ["Blob/lookup", {"accountId": alice.account, "typeNames": [name], "ids": []}, "c"]

    response = alice.request(call, using=[CORE, BLOB])["methodResponses"][0]

    assert (response[0], response[1]["type"]) == ("error", "unknownDataType")


@pytest.mark.parametrize("name", ["Foo", "SearchSnippet"])
def test_a_type_that_cannot_refer_to_blobs_is_unknown(alice: BlobClient, name: str) -> None:
    assert alice.error("Blob/lookup", typeNames=["Email", name], ids=[]) == "unknownDataType"


@pytest.mark.parametrize(
    "arguments", [{"ids": []}, {"typeNames": []}, {"typeNames": "Email", "ids": []}, {"typeNames": [], "ids": ["a b"]}]
)
def test_wrong_arguments_are_refused(alice: BlobClient, arguments: dict[str, Any]) -> None:
    assert alice.error("Blob/lookup", **arguments) == "invalidArguments"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BlobClient]:
    """A client of a server that takes 3 ids in a call."""
    server = Server(tmp_path, Limits(max_objects_in_get=3))
    yield BlobClient(server, ALICE)
    server.close()


def test_more_ids_than_announced_are_too_large_a_request(small: BlobClient) -> None:
    assert small.error("Blob/lookup", typeNames=[], ids=["a", "b", "c", "d"]) == "requestTooLarge"
