"""Blob/get (RFC 9404 §4.2)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.limits import Limits
from jmaplite.datatypes.blob import BLOB
from jmaplite.datatypes.blob.get import ALGORITHMS
from tests.blob.client import BlobClient
from tests.mail.jmap import ALICE, Server, message


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BlobClient]:
    """A client of a server that takes uploads of 1000 octets, and 3 objects in a call."""
    server = Server(tmp_path, Limits(max_size_upload=1000, max_objects_in_get=3))
    yield BlobClient(server, ALICE)
    server.close()


def test_data_and_size_are_answered_unless_told_otherwise(alice: BlobClient) -> None:
    blob_id = alice.upload(b"text")

    assert alice.blob(blob_id) == {"id": blob_id, "data:asText": "text", "size": 4}


def test_octets_that_are_no_text_are_answered_as_base64(alice: BlobClient) -> None:
    blob_id = alice.upload(b"\xff")

    assert alice.blob(blob_id) == {"id": blob_id, "data:asBase64": "/w==", "isEncodingProblem": True, "size": 1}


def test_no_text_is_null_and_no_data_is_answered_in_its_place(alice: BlobClient) -> None:
    blob_id = alice.upload(b"\xff")

    assert alice.blob(blob_id, "data:asText") == {"id": blob_id, "data:asText": None, "isEncodingProblem": True}


def test_base64_is_never_an_encoding_problem(alice: BlobClient) -> None:
    blob_id = alice.upload(b"\xff")

    assert alice.blob(blob_id, "data:asBase64") == {"id": blob_id, "data:asBase64": "/w=="}


def test_text_and_base64_may_both_be_asked_for(alice: BlobClient) -> None:
    blob_id = alice.upload(b"a")

    assert alice.blob(blob_id, "data", "data:asBase64") == {"id": blob_id, "data:asText": "a", "data:asBase64": "YQ=="}


def test_a_range_that_cuts_a_character_is_no_text(alice: BlobClient) -> None:
    blob_id = alice.upload("naïve".encode())

    assert alice.blob(blob_id, "data:asText", length=2)["data:asText"] == "na"
    cut = alice.blob(blob_id, "data:asText", length=3)
    assert (cut["data:asText"], cut["isEncodingProblem"]) == (None, True)


@pytest.mark.parametrize("character", ["\ufffe", "\ufdd0", "\U0001ffff"])
def test_what_json_must_not_hold_is_no_text(alice: BlobClient, character: str) -> None:
    octets = f"a{character}".encode()

    answer = alice.blob(alice.upload(octets), "data")

    assert answer["isEncodingProblem"] is True
    assert answer["data:asBase64"] == b64encode(octets).decode()


def test_control_characters_are_text(alice: BlobClient) -> None:
    assert alice.blob(alice.upload(b"\x00\x7f\r\n"))["data:asText"] == "\x00\x7f\r\n"


@pytest.mark.parametrize(
    ("range_", "octets", "truncated"),
    [
        ({}, "0123456789", False),
        ({"offset": None, "length": None}, "0123456789", False),
        ({"offset": 4}, "456789", False),
        ({"offset": 4, "length": 3}, "456", False),
        ({"offset": 4, "length": 6}, "456789", False),
        ({"offset": 4, "length": 7}, "456789", True),
        ({"length": 11}, "0123456789", True),
        ({"length": 0}, "", False),
        ({"offset": 10}, "", False),
        ({"offset": 10, "length": 0}, "", False),
        ({"offset": 10, "length": 1}, "", True),
        ({"offset": 11}, "", True),
        ({"offset": 11, "length": 0}, "", True),
        ({"offset": 2**53 - 1, "length": 2**53 - 1}, "", True),
    ],
)
def test_a_range_is_answered_as_far_as_it_is_there(
    alice: BlobClient, range_: dict[str, Any], octets: str, truncated: bool
) -> None:
    answer = alice.blob(alice.upload(b"0123456789"), "data:asText", "size", "digest:sha-256", **range_)

    assert answer["data:asText"] == octets
    assert answer["size"] == 10
    assert answer.get("isTruncated", False) is truncated
    assert answer["digest:sha-256"] == b64encode(hashlib.sha256(octets.encode()).digest()).decode()


def test_a_range_that_is_not_all_there_is_told_whatever_is_asked_for(alice: BlobClient) -> None:
    blob_id = alice.upload(b"0123456789")

    assert alice.blob(blob_id, "size", offset=5, length=6) == {"id": blob_id, "size": 10, "isTruncated": True}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_digest_announced_is_calculated(alice: BlobClient, name: str) -> None:
    capability = alice.session["accounts"][alice.account]["accountCapabilities"][BLOB]
    octets = b"x" * 300_000
    digest = hashlib.new(ALGORITHMS[name], octets, usedforsecurity=False).digest()

    assert name in capability["supportedDigestAlgorithms"]
    assert alice.blob(alice.upload(octets), f"digest:{name}") == {
        "id": alice.upload(octets),
        f"digest:{name}": b64encode(digest).decode(),
    }


@pytest.mark.parametrize("name", ["digest:unixsum", "digest:SHA", "digest:", "isTruncated", "blobId", ""])
def test_an_unknown_property_is_refused(alice: BlobClient, name: str) -> None:
    assert alice.error("Blob/get", ids=[], properties=["size", name]) == "invalidArguments"


def test_the_id_may_be_asked_for(alice: BlobClient) -> None:
    blob_id = alice.upload(b"x")

    assert alice.blob(blob_id, "id") == {"id": blob_id}


def test_what_is_not_there_is_not_found(alice: BlobClient) -> None:
    known, unknown = alice.upload(b"x"), "G" + "0" * 64

    answer = alice.call("Blob/get", ids=[unknown, known, "not-a-blob", "#never"], properties=["size"])

    assert answer == {
        "accountId": alice.account,
        "list": [{"id": known, "size": 1}],
        "notFound": [unknown, "not-a-blob", "#never"],
    }


def test_a_blob_asked_for_twice_is_answered_once(alice: BlobClient) -> None:
    blob_id = alice.upload(b"x")

    answer = alice.call("Blob/get", ids=[blob_id, blob_id, "none", "none"], properties=["size"])

    assert answer["list"] == [{"id": blob_id, "size": 1}]
    assert answer["notFound"] == ["none"]


def test_the_creation_id_of_an_email_names_no_blob(alice: BlobClient) -> None:
    email = {"blobId": alice.upload(message()), "mailboxIds": {alice.mailbox("inbox"): True}}

    responses = alice.request(
        ["Email/import", {"accountId": alice.account, "emails": {"e": email}}, "0"],
        ["Blob/get", {"accountId": alice.account, "ids": ["#e"]}, "1"],
    )["methodResponses"]

    assert responses[1][1]["notFound"] == ["#e"]


def test_parts_of_messages_have_the_size_of_what_is_decoded(alice: BlobClient) -> None:
    made = alice.import_(message(body="caf=E9=", more="Content-Transfer-Encoding: quoted-printable"))
    part = alice.get("Email", made["id"], "bodyStructure")["bodyStructure"]

    answer = alice.blob(part["blobId"], "size", "data:asBase64")

    assert answer["size"] == part["size"]
    assert answer["data:asBase64"] == b64encode(b"caf\xe9").decode()


def test_a_message_may_be_read_by_whoever_sees_the_email(alice: BlobClient, bob: BlobClient) -> None:
    octets = message("For all of us")
    made = alice.team().import_(octets)

    assert bob.team().octets(made["blobId"]) == octets
    assert bob.call("Blob/get", ids=[made["blobId"]])["notFound"] == [made["blobId"]]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"ids": None},
        {"ids": [1]},
        {"ids": ["a b"]},
        {"ids": [], "offset": -1},
        {"ids": [], "length": "1"},
        {"ids": [], "properties": [1]},
        {"ids": [], "unknown": 1},
    ],
)
def test_wrong_arguments_are_refused(alice: BlobClient, arguments: dict[str, Any]) -> None:
    assert alice.error("Blob/get", **arguments) == "invalidArguments"


def test_more_ids_than_announced_are_too_large_a_request(small: BlobClient) -> None:
    assert small.error("Blob/get", ids=["a", "b", "c", "d"]) == "requestTooLarge"


def test_one_call_reads_only_so_much(small: BlobClient) -> None:
    one, two, long = small.upload(b"a" * 600), small.upload(b"b" * 600), small.upload(b"c" * 2000)

    assert small.error("Blob/get", ids=[one, two]) == "requestTooLarge"
    assert small.error("Blob/get", ids=[one, two], properties=["digest:sha"]) == "requestTooLarge"
    assert len(small.call("Blob/get", ids=[one, two], properties=["size"])["list"]) == 2
    assert len(small.call("Blob/get", ids=[one, two], length=500)["list"]) == 2
    # One blob is never too much, or it could not be read at all.
    assert len(small.octets(long)) == 2000


def test_the_size_is_known_without_reading_the_octets(alice: BlobClient) -> None:
    octets = b"x" * 300_000
    blob_id = alice.upload(octets)
    for path in alice.server.path.rglob(f"*{hashlib.sha256(octets).hexdigest()[2:]}*"):
        path.unlink()

    assert alice.blob(blob_id, "size") == {"id": blob_id, "size": 300_000}
    assert alice.error("Blob/get", ids=[blob_id]) == "serverFail"
