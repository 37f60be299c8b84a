"""A server whose catalog has Todo beside everything else, and a server of its own process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jmaplite import datatypes
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.datatypes.mail import MAIL
from jmaplite.store.sqlite import SQLiteStore
from tests.live import CONFIG, Live, serving
from tests.mail.jmap import ALICE, CORE, TEAM, Client, People, Server
from tests.rfc.todo import TODO_URN, todo


@dataclass
class ExampleServer(Server):
    """A server with one more type: it is named in one place, here."""

    def __post_init__(self) -> None:
        catalog = Catalog((*datatypes.capabilities(self.settings), todo()))
        self.store = SQLiteStore(self.path, datatypes.schema(catalog, TABLES))
        self.blobs = EmbeddedBlobs(self.path)
        services = Services(self.store, self.blobs, self.limits, lambda: self.now, {MAIL: self.settings})
        self.engine = Engine(services, catalog, People())  # type: ignore[arg-type]


class ExampleClient(Client):
    """A client that sends what is printed, with the account where the RFC has one."""

    def send(self, *calls: list[Any]) -> list[Any]:
        """The arguments of the responses to calls about the account, which must come one for each, in order."""
        responses = self.responses(*calls)
        assert [(name, tag) for name, _, tag in responses] == [(name, tag) for name, _, tag in calls]
        return [arguments for _, arguments, _ in responses]

    def responses(self, *calls: list[Any]) -> list[Any]:
        """The responses to calls, which are about the account unless they name one."""
        full = [[name, {"accountId": self.account, **arguments}, tag] for name, arguments, tag in calls]
        found: list[Any] = self.request(*full, using=[CORE, MAIL, TODO_URN])["methodResponses"]
        return found

    def state(self, data_type: str) -> str:
        return str(self.call(f"{data_type}/get", ids=[])["state"])

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        return super().request(*calls, **{"using": [CORE, MAIL, TODO_URN], **more})

    def team(self) -> ExampleClient:
        """The same user, with calls about the account that is shared with the team."""
        accounts = self.session["accounts"].items()
        shared = next(account for account, one in accounts if one["name"] == TEAM.name)
        return ExampleClient(self.server, self.principal, shared)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    server = ExampleServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def alice(server: ExampleServer) -> ExampleClient:
    return ExampleClient(server, ALICE)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    config = tmp_path_factory.mktemp("live") / "config.toml"
    config.write_text(CONFIG)
    with serving(config) as live:
        yield live
