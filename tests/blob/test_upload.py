"""Blob/upload (RFC 9404 §4.1)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.errors import RequestError
from jmaplite.core.limits import Limits
from jmaplite.datatypes.blob import BLOB
from jmaplite.datatypes.blob.capability import MAX_DATA_SOURCES
from tests.blob.client import BlobClient, source
from tests.mail.jmap import ALICE, BASE, CORE, Server, message


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BlobClient]:
    """A client of a server that takes uploads of 100,000 octets, and 3 objects in a call."""
    server = Server(tmp_path, Limits(max_size_upload=100_000, max_objects_in_set=3))
    yield BlobClient(server, ALICE)
    server.close()


def test_no_sources_make_an_empty_blob(alice: BlobClient) -> None:
    made = alice.put_together()

    assert made["size"] == 0
    assert alice.octets(made["id"]) == b""


def test_sources_are_put_together_in_order(alice: BlobClient) -> None:
    one = alice.upload(b"0123456789")

    made = alice.put_together({"data:asText": "é"}, {"blobId": one}, b"\xff\x00", {"blobId": one, "offset": 8})

    assert alice.octets(made["id"]) == "é".encode() + b"0123456789\xff\x0089"


@pytest.mark.parametrize(
    ("range_", "octets"),
    [
        ({}, b"0123456789"),
        ({"offset": None, "length": None}, b"0123456789"),
        ({"offset": 3}, b"3456789"),
        ({"length": 3}, b"012"),
        ({"offset": 3, "length": 4}, b"3456"),
        ({"offset": 0, "length": 0}, b""),
        ({"offset": 10}, b""),
        ({"offset": 10, "length": 0}, b""),
        ({"offset": 9, "length": 1}, b"9"),
    ],
)
def test_a_source_may_be_a_range_of_a_blob(alice: BlobClient, range_: dict[str, Any], octets: bytes) -> None:
    one = alice.upload(b"0123456789")

    assert alice.octets(alice.put_together({"blobId": one, **range_})["id"]) == octets


@pytest.mark.parametrize(
    "range_", [{"offset": 11}, {"length": 11}, {"offset": 10, "length": 1}, {"offset": 11, "length": 0}]
)
def test_a_range_that_is_not_all_there_makes_no_blob(alice: BlobClient, range_: dict[str, Any]) -> None:
    one = alice.upload(b"0123456789")

    error = alice.refused({"data": [{"blobId": one, **range_}]})

    assert (error["type"], error["properties"]) == ("invalidProperties", ["data"])


@pytest.mark.parametrize(
    "base64",
    [
        "YQ",
        "YQ=",
        "YQ===",
        "Y",
        "YQ==YQ==",
        "=YQ=",
        "Y Q==",
        "YQ==\n",
        "Y\r\nQ==",
        "Y-__",
        "YR==",
        "YWJ=",
        "é",
        "YQ==é",
    ],
)
def test_what_is_not_base64_makes_no_blob(alice: BlobClient, base64: str) -> None:
    error = alice.refused({"data": [{"data:asText": "good"}, {"data:asBase64": base64}]})

    assert (error["type"], error["properties"]) == ("invalidProperties", ["data"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"data:asText": None},
        {"data:asText": None, "data:asBase64": None},
        {"data:asText": "a", "blobId": None},
        {"blobId": "#other", "data:asText": ""},
        {"data:asText": 1},
        {"data:asBase64": 1},
        {"data:asText": "a", "data:asBase64": "YQ=="},
        {"data:asText": "a", "blobId": "#other"},
        {"data:asText": "a", "offset": 0},
        {"data:asText": "a", "unknown": 1},
        {"blobId": None},
        {"blobId": ""},
        {"blobId": 1},
        {"blobId": "#other", "offset": -1},
        {"blobId": "#other", "length": 1.5},
        {"blobId": "#other", "unknown": None},
        {"blobId": "#nowhere"},
        {"blobId": "G" + "0" * 64},
        {"blobId": "not-a-blob"},
    ],
)
def test_a_source_is_exactly_one_of_text_base64_and_a_blob(alice: BlobClient, wrong: dict[str, Any]) -> None:
    create = {"other": {"data": [{"data:asText": "fine"}]}, "k": {"data": [wrong]}}

    answer = alice.call("Blob/upload", create=create)

    assert list(answer["created"]) == ["other"]
    assert answer["notCreated"]["k"]["type"] == "invalidProperties"
    assert answer["notCreated"]["k"]["properties"] == ["data"]


@pytest.mark.parametrize(
    ("source", "octets"),
    [
        ({"data:asText": "a", "data:asBase64": None, "offset": None, "length": None}, b"a"),
        ({"data:asText": None, "data:asBase64": "YQ==", "offset": None, "length": None}, b"a"),
        ({"data:asText": None, "data:asBase64": None, "blobId": "#other", "offset": 1, "length": None}, b"ine"),
    ],
)
def test_what_may_be_null_may_be_there_and_null(alice: BlobClient, source: dict[str, Any], octets: bytes) -> None:
    """RFC 9404 §4.1: clients that always send every member of a DataSourceObject are as clear as others."""
    create = {"other": {"data": [{"data:asText": "fine"}]}, "k": {"data": [source]}}

    made = alice.call("Blob/upload", create=create)["created"]["k"]

    assert alice.octets(made["id"]) == octets


@pytest.mark.parametrize(
    ("upload", "properties"),
    [
        ({}, ["data"]),
        ({"data": None}, ["data"]),
        ({"data": "text"}, ["data"]),
        ({"data": ["text"]}, ["data"]),
        ({"data": [], "type": 1}, ["type"]),
        *(
            ({"data": [], "type": wrong}, ["type"])
            for wrong in (
                "",
                "text",
                "text/",
                "/plain",
                "a\r\nb",
                "text/plain\n",
                "text/plain\r\nX: y",
                "text/pl ain",
                "a/b\0",
                "text/plain; a=\n",
                "text/plain;é",
                "é/b",
                "a/b/c",
                " text/plain",
                "-a/b",
                "a" * 128 + "/b",
                "a/" + "b" * 128,
                "a/b;" + "c" * 256,
            )
        ),
        ({"data": [], "name": "x", "size": 0}, ["name", "size"]),
    ],
)
def test_an_upload_object_has_data_and_a_type_and_no_more(
    alice: BlobClient, upload: Any, properties: list[str]
) -> None:
    error = alice.refused(upload)

    assert (error["type"], error["properties"]) == ("invalidProperties", properties)


def test_text_that_is_no_unicode_never_gets_into_a_request(alice: BlobClient) -> None:
    upload = {"accountId": alice.account, "create": {"k": {"data": [{"data:asText": "\ud800"}]}}}
    body = json.dumps({"using": [CORE, BLOB], "methodCalls": [["Blob/upload", upload, "c"]]})

    with pytest.raises(RequestError) as refused:
        alice.server.engine.process(ALICE, BASE, body.encode())

    assert refused.value.type == "urn:ietf:params:jmap:error:notJSON"


def test_the_type_is_told_as_it_was_given(alice: BlobClient) -> None:
    assert alice.put_together(b"x", type="image/png")["type"] == "image/png"
    assert alice.put_together(b"x", type=None)["type"] == "application/octet-stream"
    for name in ("a" * 127 + "/" + "b" * 127, "application/vnd.x+json", "text/plain; charset=utf-8", "x-1/a!#$&-^_.+"):
        assert alice.put_together(b"x", type=name)["type"] == name


def test_the_same_octets_have_the_same_id_however_they_came(alice: BlobClient) -> None:
    made = alice.put_together({"data:asText": "he"}, {"data:asText": "llo"})

    assert made["id"] == alice.upload(b"hello")


def test_a_blob_may_have_64_sources_and_up_to_the_number_announced(alice: BlobClient) -> None:
    capability = alice.session["accounts"][alice.account]["accountCapabilities"][BLOB]

    assert capability["maxDataSources"] == MAX_DATA_SOURCES >= 64
    assert alice.put_together(*[b"ab"] * MAX_DATA_SOURCES)["size"] == 2 * MAX_DATA_SOURCES
    error = alice.refused({"data": [source(b"ab")] * (MAX_DATA_SOURCES + 1)})
    assert error["type"] == "invalidProperties"


def test_a_blob_has_at_most_the_size_announced(small: BlobClient) -> None:
    capability = small.session["accounts"][small.account]["accountCapabilities"][BLOB]
    half = {"blobId": small.upload(b"a" * 50_000)}

    assert capability["maxSizeBlobSet"] == 100_000
    assert small.put_together(half, half)["size"] == 100_000
    assert small.refused({"data": [half, source(b"x"), half]})["type"] == "tooLarge"


def test_one_call_puts_only_so_much_together(small: BlobClient) -> None:
    whole = {"blobId": small.upload(b"a" * 90_000)}

    answer = small.call("Blob/upload", create={name: {"data": [whole]} for name in "abc"})

    assert sorted(answer["created"]) == ["a", "b"]
    assert answer["notCreated"]["c"]["type"] == "rateLimit"


def test_one_call_decodes_only_so_much(small: BlobClient) -> None:
    parts = [
        f"{small.upload(number * 80_000)}-0-{80_000:x}-q" for number in (b"a", b"b", b"c")
    ]  # each is 80,000 octets that have to be read before one of them is known
    create = {name: {"data": [{"blobId": part, "length": 1}] * 2} for name, part in zip("abc", parts, strict=True)}

    answer = small.call("Blob/upload", create=create)

    assert sorted(answer["created"]) == ["a", "b"]
    assert answer["notCreated"]["c"]["type"] == "rateLimit"


def test_more_creations_than_announced_are_too_large_a_request(small: BlobClient) -> None:
    create: dict[str, Any] = {f"k{number}": {"data": []} for number in range(4)}

    assert small.error("Blob/upload", create=create) == "requestTooLarge"


def test_creations_may_refer_to_each_other_in_any_order(alice: BlobClient) -> None:
    create = {
        "c": {"data": [{"blobId": "#b"}, {"data:asText": "!"}]},
        "b": {"data": [{"blobId": "#a"}, {"blobId": "#a"}]},
        "a": {"data": [{"data:asText": "tom"}]},
    }

    answer = alice.call("Blob/upload", create=create)

    assert alice.octets(answer["created"]["c"]["id"]) == b"tomtom!"


def test_what_refers_to_a_creation_that_failed_fails_too(alice: BlobClient) -> None:
    create = {
        "c": {"data": [{"blobId": "#b"}]},
        "b": {"data": [{"blobId": "#a"}]},
        "a": {"data": [{"data:asBase64": "?"}]},
        "fine": {"data": []},
    }

    # Nor does an older blob of the name take its place.
    older = [["Blob/upload", {"accountId": alice.account, "create": {"a": {"data": []}}}, "0"]]
    answer = alice.request(*older, ["Blob/upload", {"accountId": alice.account, "create": create}, "1"])
    answer = answer["methodResponses"][1][1]

    assert sorted(answer["notCreated"]) == ["a", "b", "c"]
    assert list(answer["created"]) == ["fine"]


def test_creations_that_would_be_made_of_themselves_fail(alice: BlobClient) -> None:
    create: dict[str, Any] = {
        "a": {"data": [{"blobId": "#b"}]},
        "b": {"data": [{"blobId": "#a"}]},
        "after": {"data": [{"blobId": "#b"}]},
        "alone": {"data": [{"blobId": "#alone"}]},
        "fine": {"data": []},
    }

    answer = alice.call("Blob/upload", create=create)

    assert sorted(answer["notCreated"]) == ["a", "after", "alone", "b"]
    assert list(answer["created"]) == ["fine"]


def test_a_name_used_again_means_the_blob_before_while_the_new_one_is_made(alice: BlobClient) -> None:
    def upload(*sources: Any) -> list[Any]:
        return ["Blob/upload", {"accountId": alice.account, "create": {"log": {"data": list(sources)}}}, "c"]

    responses = alice.request(upload({"data:asText": "one "}), upload({"blobId": "#log"}, {"data:asText": "two"}))[
        "methodResponses"
    ]

    assert alice.octets(responses[1][1]["created"]["log"]["id"]) == b"one two"


def test_created_ids_are_told_if_the_request_asks(alice: BlobClient) -> None:
    create = {"k": {"data": [{"data:asText": "x"}]}, "bad": {}}

    answer = alice.request(["Blob/upload", {"accountId": alice.account, "create": create}, "c"], createdIds={})

    assert answer["createdIds"] == {"k": answer["methodResponses"][0][1]["created"]["k"]["id"]}


def test_created_ids_of_an_earlier_request_are_understood(alice: BlobClient) -> None:
    blob_id = alice.upload(b"before")

    call = ["Blob/get", {"accountId": alice.account, "ids": ["#k"]}, "c"]
    answer = alice.request(call, createdIds={"k": blob_id})["methodResponses"][0][1]

    assert answer["list"][0]["data:asText"] == "before"


def test_an_email_is_imported_by_the_creation_id_of_its_blob(alice: BlobClient) -> None:
    octets = message("By reference")
    email = {"blobId": "#draft", "mailboxIds": {alice.mailbox("drafts"): True}}

    uploaded, imported = alice.request(
        ["Blob/upload", {"accountId": alice.account, "create": {"draft": {"data": [source(octets)]}}}, "0"],
        ["Email/import", {"accountId": alice.account, "emails": {"e": email}}, "1"],
    )["methodResponses"]

    assert imported[1]["created"]["e"]["blobId"] == uploaded[1]["created"]["draft"]["id"]
    assert alice.get("Email", imported[1]["created"]["e"]["id"], "subject")["subject"] == "By reference"


def test_an_email_is_created_with_an_attachment_by_its_creation_id(alice: BlobClient) -> None:
    email = {
        "mailboxIds": {alice.mailbox("drafts"): True},
        "subject": "With a picture",
        "attachments": [{"blobId": "#picture", "type": "image/png", "name": "dot.png"}],
    }

    responses = alice.request(
        ["Blob/upload", {"accountId": alice.account, "create": {"picture": {"data": [source(b"\x89PNG")]}}}, "0"],
        ["Email/set", {"accountId": alice.account, "create": {"e": email}}, "1"],
    )["methodResponses"]

    made = responses[1][1]["created"]["e"]["id"]
    [attachment] = alice.get("Email", made, "attachments")["attachments"]
    assert alice.octets(attachment["blobId"]) == b"\x89PNG"


def test_a_part_of_a_message_is_taken_with_its_encoding_undone(alice: BlobClient) -> None:
    encoded = b64encode(b"attached octets").decode()
    made = alice.import_(message(body=encoded, more="Content-Transfer-Encoding: base64\r\nContent-Type: image/png"))
    part = alice.get("Email", made["id"], "bodyStructure")["bodyStructure"]["blobId"]

    blob = alice.put_together({"blobId": part, "offset": 9}, {"blobId": part, "length": 8})

    assert alice.octets(blob["id"]) == b"octetsattached"


@pytest.mark.parametrize("part", ["-0-b-n", "-a-1-n", "-0-b-b", "-0-4-b-3-1-n"])
def test_a_part_that_is_not_all_there_is_no_blob(alice: BlobClient, part: str) -> None:
    blob_id = alice.upload(b"YWJjZGVmZ=") + part

    assert alice.refused({"data": [{"blobId": blob_id}]})["type"] == "invalidProperties"
    assert alice.call("Blob/get", ids=[blob_id])["notFound"] == [blob_id]


def test_an_upload_by_method_expires_like_any_other(alice: BlobClient) -> None:
    blob_id = alice.put_together(b"soon gone")["id"]
    account = alice.server.store.account(alice.account)

    account.write(lambda tx: alice.server.blobs.expire(tx, int(alice.server.now)))
    assert alice.octets(blob_id) == b"soon gone"
    account.write(lambda tx: alice.server.blobs.expire(tx, int(alice.server.now) + 1))
    assert alice.call("Blob/get", ids=[blob_id])["notFound"] == [blob_id]


def test_an_upload_is_for_its_uploader_only_even_in_a_shared_account(alice: BlobClient, bob: BlobClient) -> None:
    blob_id = alice.team().put_together(b"mine")["id"]

    assert alice.team().octets(blob_id) == b"mine"
    assert bob.team().call("Blob/get", ids=[blob_id])["notFound"] == [blob_id]
    assert bob.team().refused({"data": [{"blobId": blob_id}]})["type"] == "invalidProperties"


def test_a_large_blob_is_put_together_from_files(alice: BlobClient) -> None:
    one, two = bytes(range(256)) * 800, b"\xff" * 300_000
    first, second = ({"blobId": alice.upload(octets)} for octets in (one, two))

    blob_id = alice.put_together(first, b"-", second, {**first, "offset": 200_000})["id"]

    assert alice.octets(blob_id) == one + b"-" + two + one[200_000:]


def test_the_methods_are_there_only_for_requests_that_use_the_capability(alice: BlobClient) -> None:
    for method in ("Blob/upload", "Blob/get", "Blob/lookup"):
        answer = alice.request([method, {"accountId": alice.account}, "c"], using=[CORE])
        assert answer["methodResponses"][0][1]["type"] == "unknownMethod"


def test_an_account_of_others_is_not_found(alice: BlobClient, bob: BlobClient) -> None:
    assert alice.error("Blob/upload", accountId=bob.account, create={}) == "accountNotFound"
    assert alice.error("Blob/get", accountId=bob.account, ids=[]) == "accountNotFound"


@pytest.mark.parametrize(
    "arguments", [{}, {"create": None}, {"create": []}, {"create": {"k": 1}}, {"create": {"!": {}}}]
)
def test_wrong_arguments_are_refused(alice: BlobClient, arguments: dict[str, Any]) -> None:
    assert alice.error("Blob/upload", **arguments) == "invalidArguments"
