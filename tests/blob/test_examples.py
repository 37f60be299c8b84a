"""The examples of RFC 9404, word for word but for ids."""

from __future__ import annotations

from typing import Any

from jmaplite.datatypes.blob import BLOB
from tests.blob.client import BlobClient
from tests.mail.jmap import CORE, message

FOX = b"The quick brown fox jumped over the lazy dog."
BAD_FOX = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wZWQgb3ZlciB0aGUggYEgZG9nLg=="
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQMAAAAl21bKAAAAA1BMVEX/AAAZ4gk3AAAAAXRSTlN/gFy0ywAAAApJRE"
    "FUeJxjYgAAAAYAAzY3fKgAAAAASUVORK5CYII="
)


def send(client: BlobClient, *calls: tuple[str, dict[str, Any], str]) -> list[Any]:
    """The responses to calls about the client's account."""
    full = [[name, {"accountId": client.account, **arguments}, tag] for name, arguments, tag in calls]
    responses: list[Any] = client.request(*full, using=[CORE, BLOB])["methodResponses"]
    assert [response[2] for response in responses] == [call[2] for call in calls]
    return responses


def test_section_4_1_1_a_simple_upload(alice: BlobClient) -> None:
    create = {"1": {"data": [{"data:asBase64": PIXEL}], "type": "image/png"}}

    [[name, answer, _]] = send(alice, ("Blob/upload", {"create": create}, "R1"))

    assert name == "Blob/upload"
    blob_id = answer["created"]["1"].pop("id")
    assert answer == {
        "accountId": alice.account,
        "created": {"1": {"type": "image/png", "size": 95}},
        "notCreated": None,
    }
    assert alice.blob(blob_id, "data:asBase64")["data:asBase64"] == PIXEL


def test_section_4_1_2_a_complex_upload(alice: BlobClient) -> None:
    cat = [
        {"data:asText": "How"},
        {"blobId": "#b4", "length": 7, "offset": 3},
        {"data:asText": "was t"},
        {"blobId": "#b4", "length": 1, "offset": 1},
        {"data:asBase64": "YXQ/"},
    ]
    first, second, third = send(
        alice,
        ("Blob/upload", {"create": {"b4": {"data": [{"data:asText": FOX.decode()}]}}}, "S4"),
        ("Blob/upload", {"create": {"cat": {"data": cat}}}, "CAT"),
        ("Blob/get", {"properties": ["data:asText", "size"], "ids": ["#cat"]}, "G4"),
    )

    fox_id = first[1]["created"]["b4"].pop("id")
    cat_id = second[1]["created"]["cat"].pop("id")
    assert fox_id != cat_id
    octet_stream = "application/octet-stream"
    assert first[1] == {
        "accountId": alice.account,
        "created": {"b4": {"size": 45, "type": octet_stream}},
        "notCreated": None,
    }
    assert second[1] == {
        "accountId": alice.account,
        "created": {"cat": {"size": 19, "type": octet_stream}},
        "notCreated": None,
    }
    assert third[1] == {
        "accountId": alice.account,
        "list": [{"id": cat_id, "data:asText": "How quick was that?", "size": 19}],
        "notFound": [],
    }


def test_section_4_2_1_a_simple_get(alice: BlobClient) -> None:
    fox = alice.upload(FOX)
    whole = {"ids": [fox, "not-a-blob"], "properties": ["data:asText", "digest:sha", "size"]}
    properties = ["data:asText", "digest:sha", "digest:sha-256", "size"]
    part = {"ids": [fox], "properties": properties, "offset": 4, "length": 9}

    first, second = send(alice, ("Blob/get", whole, "R1"), ("Blob/get", part, "R2"))

    assert first[1] == {
        "accountId": alice.account,
        "list": [
            {"id": fox, "data:asText": FOX.decode(), "digest:sha": "wIVPufsDxBzOOALLDSIFKebu+U4=", "size": 45},
        ],
        "notFound": ["not-a-blob"],
    }
    assert second[1] == {
        "accountId": alice.account,
        "list": [
            {
                "id": fox,
                "data:asText": "quick bro",
                "digest:sha": "QiRAPtfyX8K6tm1iOAtZ87Xj3Ww=",
                "digest:sha-256": "gdg9INW7lwHK6OQ9u0dwDz2ZY/gubi0En0xlFpKt0OA=",
                "size": 45,
            }
        ],
        "notFound": [],
    }


def test_section_4_2_2_a_get_with_range_and_encoding_errors(alice: BlobClient) -> None:
    create = {
        "b1": {"data": [{"data:asBase64": BAD_FOX}]},
        "b2": {"data": [{"data:asText": "hello world"}], "type": "text/plain"},
    }
    ids = {"ids": ["#b1", "#b2"]}
    uploaded, *got = send(
        alice,
        ("Blob/upload", {"create": create}, "S1"),
        ("Blob/get", ids, "G1"),
        ("Blob/get", {**ids, "properties": ["data:asText", "size"]}, "G2"),
        ("Blob/get", {**ids, "properties": ["data:asBase64", "size"]}, "G3"),
        ("Blob/get", {**ids, "offset": 0, "length": 5}, "G4"),
        ("Blob/get", {**ids, "offset": 20, "length": 100}, "G5"),
    )

    b1, b2 = (uploaded[1]["created"][name]["id"] for name in ("b1", "b2"))
    assert uploaded[1]["created"]["b2"] == {"id": b2, "size": 11, "type": "text/plain"}
    assert [answer[1].pop("list") for answer in got] == [
        [
            {"id": b1, "isEncodingProblem": True, "data:asBase64": BAD_FOX, "size": 43},
            {"id": b2, "data:asText": "hello world", "size": 11},
        ],
        [
            # The example leaves out what the text of section 4.2 says must be null.
            {"id": b1, "isEncodingProblem": True, "data:asText": None, "size": 43},
            {"id": b2, "data:asText": "hello world", "size": 11},
        ],
        [
            {"id": b1, "data:asBase64": BAD_FOX, "size": 43},
            {"id": b2, "data:asBase64": "aGVsbG8gd29ybGQ=", "size": 11},
        ],
        [
            {"id": b1, "data:asText": "The q", "size": 43},
            {"id": b2, "data:asText": "hello", "size": 11},
        ],
        [
            {
                "id": b1,
                "isTruncated": True,
                "isEncodingProblem": True,
                "data:asBase64": "anVtcGVkIG92ZXIgdGhlIIGBIGRvZy4=",
                "size": 43,
            },
            {"id": b2, "isTruncated": True, "data:asText": "", "size": 11},
        ],
    ]
    assert [answer[1] for answer in got] == [{"accountId": alice.account, "notFound": []}] * 5


def test_section_4_3_1_a_lookup(alice: BlobClient) -> None:
    inbox, archive = alice.mailbox("inbox"), alice.mailbox("archive")
    octets = message(message_id="twice@example.com")
    first = alice.import_(octets, mailboxes=[inbox])
    second = alice.import_(octets, mailboxes=[archive])
    arguments = {"typeNames": ["Mailbox", "Thread", "Email"], "ids": [first["blobId"], "not-a-blob"]}

    answer = alice.call("Blob/lookup", **arguments)

    assert first["threadId"] == second["threadId"]
    assert answer == {
        "accountId": alice.account,
        "list": [
            {
                "id": first["blobId"],
                "matchedIds": {
                    "Mailbox": sorted([inbox, archive]),
                    "Thread": [first["threadId"]],
                    "Email": [first["id"], second["id"]],
                },
            }
        ],
        "notFound": ["not-a-blob"],
    }
