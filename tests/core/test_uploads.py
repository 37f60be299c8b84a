"""Uploads have a quota of their own, in which the oldest make room for the new (RFC 8620 §6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from jmaplite.core.limits import Limits
from jmaplite.core.uploads import keep
from tests.mail.jmap import Client, Server


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
