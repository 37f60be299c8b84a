"""A fixture that runs in this process, and what tests do with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jmaplite.config import parse
from jmaplite.dev.fixture import Fixture
from jmaplite.dev.launch import Options, configuration
from jmaplite.server import Server
from tests.web.serving import Loop

USING = [
    "urn:ietf:params:jmap:core",
    "urn:ietf:params:jmap:mail",
    "urn:ietf:params:jmap:submission",
]


@dataclass
class Site:
    """A running fixture, spoken to by HTTP alone."""

    url: str
    fixture: Fixture

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, raw: bytes | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        """One request; answers status, body (as JSON, if it is that) and header fields in lower case."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        octets = raw if raw is not None else None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, octets, headers)
            response = connection.getresponse()
            read = response.read()
        finally:
            connection.close()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return response.status, json.loads(read) if "json" in fields.get("content-type", "") else read, fields

    def control(self, method: str, path: str, body: Any = None, *, status: int = 0) -> Any:
        """An operation of the control API, which must answer with a status (if it is 0, one that is good)."""
        found, answer, _ = self.ask(method, f"/dev/api{path}", body)
        assert found == status if status else found < 300, (found, answer)
        return answer

    def session(self, token: str = "alice-token") -> Any:
        status, answer, headers = self.ask("GET", "/.well-known/jmap", token=token)
        if status == 307:
            status, answer, _ = self.ask("GET", headers["location"], token=token)
        assert status == 200
        return answer

    def account(self, token: str = "alice-token") -> str:
        return str(self.session(token)["primaryAccounts"]["urn:ietf:params:jmap:mail"])

    def jmap(self, *calls: list[Any], token: str = "alice-token", using: list[str] | None = None) -> list[Any]:
        """A JMAP request; answers the method responses."""
        body = {"using": USING if using is None else using, "methodCalls": list(calls)}
        status, answer, _ = self.ask("POST", "/jmap/", body, token=token)
        assert status == 200, answer
        found: list[Any] = answer["methodResponses"]
        return found

    def call(self, method: str, token: str = "alice-token", **arguments: Any) -> Any:
        """One method call; answers the arguments of its response."""
        arguments = {"accountId": self.account(token), **arguments}
        return self.jmap([method, arguments, "c"], token=token)[0][1]

    def count(self, token: str = "alice-token") -> int:
        """How many Emails there are."""
        return int(self.call("Email/query", token, calculateTotal=True)["total"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    config = parse(configuration(Options(seed="tests"), tmp_path / "data", None), tmp_path / "config.toml")
    (tmp_path / "config.toml").write_text(configuration(Options(seed="tests"), tmp_path / "data", None))
    with Loop() as loop:
        server = Server(config)
        loop.run(server.start())
        try:
            assert isinstance(server.extension, Fixture)
            yield Site(server.urls["jmap"][0], server.extension)
        finally:
            loop.run(server.stop())
