"""A server with Alice's, Bob's and their team's accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mail.jmap import ALICE, BOB, Client, Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def alice(server: Server) -> Client:
    return server.client(ALICE)


@pytest.fixture
def bob(server: Server) -> Client:
    return server.client(BOB)
