"""A server on which Alice has a quota."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mail.jmap import Server
from tests.quota.client import LIMIT, QuotaClient, alice_with


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def alice(server: Server) -> QuotaClient:
    return alice_with(server, LIMIT)
