"""A server with Alice's, Bob's and their team's accounts, and clients that use the blob capability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blob.client import BlobClient
from tests.mail.jmap import ALICE, BOB, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def alice(server: Server) -> BlobClient:
    return BlobClient(server, ALICE)


@pytest.fixture
def bob(server: Server) -> BlobClient:
    return BlobClient(server, BOB)
