"""Uploads have a quota of their own, in which the oldest make room for the new (RFC 8620 §6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jmaplite.core.limits import Limits
from jmaplite.core.uploads import keep
from tests.mail.jmap import Client, Server, message


def upload(client: Client, octets: bytes) -> str:
    client.server.now += 1
    staged = client.server.blobs.stage(client.account, octets)
    keep(client.server.engine.services, client.account, client.principal.name, [staged])
    return f"G{staged.digest.hex()}"


def there(client: Client, blob_ids: list[str]) -> list[bool]:
    digests = [bytes.fromhex(blob_id[1:]) for blob_id in blob_ids]
    with client.server.store.account(client.account).read() as tx:
        return [client.server.blobs.may_read(tx, digest, client.principal.name) for digest in digests]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(upload_quota_files=2), [False, False, True, True]),
        (Limits(upload_quota_size=310), [False, True, True, True]),
        (Limits(upload_quota_size=50), [False, False, False, True]),
        (Limits(upload_quota_files=0, upload_quota_size=0), [True, True, True, True]),
    ],
)
def test_the_oldest_uploads_make_room(tmp_path: Path, limits: Limits, left: list[bool]) -> None:
    server = Server(tmp_path, limits=limits)
    client = server.client()

    blob_ids = [upload(client, bytes([at]) * 100) for at in range(4)]

    assert there(client, blob_ids) == left
    server.close()


def test_of_the_uploads_of_one_second_the_first_go_first(tmp_path: Path) -> None:
    server = Server(tmp_path, limits=Limits(upload_quota_files=3))
    client = server.client()

    blob_ids = [client.upload(bytes([at]) * 100) for at in range(8)]
    upload(client, b"new")

    assert there(client, blob_ids) == [False] * 6 + [True] * 2
    server.close()


@pytest.mark.parametrize("limits", [Limits(upload_quota_files=2), Limits(upload_quota_size=2000)])
def test_what_is_there_already_needs_no_room(tmp_path: Path, limits: Limits) -> None:
    """RFC 8620 §6: but for the quota, an upload lasts an hour; octets that were uploaded before take no more of it."""
    server = Server(tmp_path, limits=limits)
    client = server.client()
    sent = message(body="x" * 1500)
    client.import_(sent)

    blob_ids = [upload(client, b"a" * 1000), upload(client, b"b" * 1000)]
    for octets in (b"b" * 1000, sent, b"b" * 1000, b"a" * 1000):
        upload(client, octets)

    assert there(client, blob_ids) == [True, True]
    server.close()
