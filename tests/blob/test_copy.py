"""Blob/copy (RFC 8620 §6.3)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jmaplite.core.context import Access, Context
from jmaplite.core.errors import MethodError
from jmaplite.core.limits import Limits
from jmaplite.datatypes.blob.copy import copy
from tests.blob.client import BlobClient
from tests.mail.jmap import ALICE, CORE, Server, message


def copied(client: BlobClient, target: BlobClient, *blob_ids: str) -> dict[str, Any]:
    """The answer to a copy from one account to another."""
    return client.call("Blob/copy", fromAccountId=client.account, accountId=target.account, blobIds=list(blob_ids))


def test_a_blob_is_copied_to_another_account(alice: BlobClient) -> None:
    blob_id, large = alice.upload(b"to share"), alice.upload(b"x" * 300_000)
    team = alice.team()

    answer = copied(alice, team, blob_id, large)

    assert answer == {
        "fromAccountId": alice.account,
        "accountId": team.account,
        "copied": {blob_id: blob_id, large: large},
        "notCopied": None,
    }
    assert team.octets(answer["copied"][blob_id]) == b"to share"
    assert team.octets(answer["copied"][large]) == b"x" * 300_000


def test_it_belongs_to_the_core(alice: BlobClient) -> None:
    arguments = {"fromAccountId": alice.account, "accountId": alice.team().account, "blobIds": [alice.upload(b"x")]}

    response = alice.request(["Blob/copy", arguments, "c"], using=[CORE])["methodResponses"][0]

    assert response[0] == "Blob/copy"
    assert response[1]["notCopied"] is None


def test_a_copy_is_an_upload_of_whoever_copied_it(alice: BlobClient, bob: BlobClient) -> None:
    blob_id = alice.upload(b"mine")

    copied(alice, alice.team(), blob_id)

    assert alice.team().octets(blob_id) == b"mine"
    assert bob.team().call("Blob/get", ids=[blob_id])["notFound"] == [blob_id]


def test_a_copy_can_be_imported(alice: BlobClient) -> None:
    team = alice.team()
    blob_id = copied(alice, team, alice.import_(message("Shared"))["blobId"])["copied"].popitem()[1]
    email = {"blobId": blob_id, "mailboxIds": {team.mailbox("inbox"): True}}

    made = team.call("Email/import", emails={"k": email})["created"]["k"]

    assert team.get("Email", made["id"], "subject")["subject"] == "Shared"


def test_a_part_of_a_message_is_copied_as_what_it_is_decoded(alice: BlobClient) -> None:
    encoded = b64encode(b"attached").decode()
    made = alice.import_(message(body=encoded, more="Content-Transfer-Encoding: base64\r\nContent-Type: image/png"))
    part = alice.get("Email", made["id"], "bodyStructure")["bodyStructure"]["blobId"]

    answer = copied(alice, alice.team(), part)

    assert alice.team().octets(answer["copied"][part]) == b"attached"
    assert alice.team().call("Blob/get", ids=[made["blobId"]])["list"] == []


def test_what_is_not_there_or_not_to_be_read_is_not_found(alice: BlobClient, bob: BlobClient) -> None:
    good, part = alice.upload(b"good"), alice.upload(b"good") + "-0-ff-b"
    others = bob.team().upload(b"unreferenced")
    unknown = "G" + "0" * 64

    answer = copied(alice.team(), alice, others, unknown, "not-a-blob")
    assert answer["copied"] is None
    assert answer["notCopied"] == {name: {"type": "notFound"} for name in (others, unknown, "not-a-blob")}
    answer = copied(alice, alice.team(), good, part, unknown)
    assert list(answer["copied"]) == [good]
    assert list(answer["notCopied"]) == [part, unknown]


def test_a_blob_may_be_named_by_its_creation_id(alice: BlobClient) -> None:
    team = alice.team()
    arguments = {"fromAccountId": alice.account, "accountId": team.account, "blobIds": ["#k"]}

    responses = alice.request(
        ["Blob/upload", {"accountId": alice.account, "create": {"k": {"data": [{"data:asText": "x"}]}}}, "0"],
        ["Blob/copy", arguments, "1"],
    )["methodResponses"]

    blob_id = responses[0][1]["created"]["k"]["id"]
    assert responses[1][1]["copied"] == {blob_id: blob_id}


def test_accounts_of_others_are_not_found(alice: BlobClient, bob: BlobClient) -> None:
    own = alice.account

    assert alice.error("Blob/copy", fromAccountId=bob.account, blobIds=[]) == "fromAccountNotFound"
    assert alice.error("Blob/copy", fromAccountId="none", blobIds=[]) == "fromAccountNotFound"
    assert alice.error("Blob/copy", fromAccountId=own, accountId=bob.account, blobIds=[]) == "accountNotFound"


def test_nothing_is_copied_into_an_account_that_is_read_only(alice: BlobClient) -> None:
    services = alice.server.engine.services
    accounts = {
        "a": Access(alice.account, "own", True, False, frozenset()),
        "b": Access("b", "other", False, True, frozenset()),
    }
    ctx = Context(services, ALICE.name, accounts, frozenset({CORE}))

    with pytest.raises(MethodError, match="accountReadOnly"):
        copy(ctx, {"fromAccountId": "a", "accountId": "b", "blobIds": []})


@pytest.mark.parametrize("more", [{}, {"blobIds": None}, {"blobIds": [""]}, {"blobIds": [], "create": {}}])
def test_wrong_arguments_are_refused(alice: BlobClient, more: dict[str, Any]) -> None:
    assert alice.error("Blob/copy", fromAccountId=alice.account, **more) == "invalidArguments"
    assert alice.error("Blob/copy", blobIds=[]) == "invalidArguments"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BlobClient]:
    """A client of a server that takes uploads of 1000 octets, and 3 objects in a call."""
    server = Server(tmp_path, Limits(max_size_upload=1000, max_objects_in_set=3))
    yield BlobClient(server, ALICE)
    server.close()


def test_more_blobs_than_announced_are_too_large_a_request(small: BlobClient) -> None:
    assert small.error("Blob/copy", fromAccountId=small.account, blobIds=["a", "b", "c", "d"]) == "requestTooLarge"


def test_one_call_copies_only_so_much(small: BlobClient) -> None:
    one, two = small.upload(b"a" * 1500), small.upload(b"b" * 1500)

    answer = copied(small, small.team(), one, two)

    assert list(answer["copied"]) == [one]
    assert answer["notCopied"][two]["type"] == "rateLimit"
