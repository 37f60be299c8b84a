"""A JMAP client for tests, straight into the engine: method calls in, responses out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import Any

from jmaplite import datatypes
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Leniency, Services
from jmaplite.core.engine import Engine
from jmaplite.core.limits import Limits
from jmaplite.datatypes.mail import MAIL, MailSettings
from jmaplite.datatypes.mail.verify import check
from jmaplite.directory import Principal
from jmaplite.store.sqlite import SQLiteStore

CORE = "urn:ietf:params:jmap:core"
BASE = "http://127.0.0.1"
ALICE = Principal("alice@example.org", emails=("alice@example.org",), member_of=("team@example.org",))
BOB = Principal("bob@example.org", emails=("bob@example.org",), member_of=("team@example.org",))
TEAM = Principal("team@example.org", kind="group")


class People:
    """A directory of Alice, Bob and their team."""

    def principal(self, name: str) -> Principal | None:
        return {person.name: person for person in (ALICE, BOB, TEAM)}.get(name)


@dataclass
class Server:
    """An engine over a store in a directory."""

    path: Path
    limits: Limits = field(default_factory=Limits)
    settings: MailSettings = field(default_factory=MailSettings)
    now: float = 1_700_000_000.0
    leniency: Leniency = field(default_factory=Leniency, kw_only=True)

    def __post_init__(self) -> None:
        catalog = Catalog(datatypes.capabilities(self.settings))
        self.store = SQLiteStore(self.path, datatypes.schema(catalog, TABLES))
        self.blobs = EmbeddedBlobs(self.path)
        settings = {MAIL: self.settings}
        services = Services(self.store, self.blobs, self.limits, lambda: self.now, settings, self.leniency)
        self.engine = Engine(services, catalog, People())  # type: ignore[arg-type]

    def client(self, principal: Principal = ALICE) -> Client:
        return Client(self, principal)

    def close(self) -> None:
        self.store.close()


_numbers = count(1)


@dataclass
class Client:
    """One user of a server, and the account that calls are about."""

    server: Server
    principal: Principal
    account: str = ""

    def __post_init__(self) -> None:
        self.session: dict[str, Any] = self.server.engine.session(self.principal, BASE).to_json()
        self.account = self.account or self.session["primaryAccounts"][MAIL]

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        """A whole request; answers the Response object."""
        body = {"using": [CORE, MAIL], "methodCalls": list(calls), **more}
        answer: dict[str, Any] = json.loads(self.server.engine.process(self.principal, BASE, json.dumps(body).encode()))
        return answer

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """One method call on the account; answers the arguments of its response, which must not be an error."""
        name, answer = self.try_call(method, **arguments)
        assert name == method, answer
        return answer

    def error(self, method: str, **arguments: Any) -> str:
        """The type of the error that a method call is answered with."""
        name, answer = self.try_call(method, **arguments)
        assert name == "error", answer
        return str(answer["type"])

    def try_call(self, method: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        """One method call; answers name and arguments of its first response."""
        arguments = {"accountId": self.account, **arguments}
        response = self.request([method, arguments, "c"])["methodResponses"][0]
        return response[0], response[1]

    def get(self, data_type: str, record_id: str, *properties: str, **more: Any) -> dict[str, Any]:
        """One record."""
        names = list(properties) if properties else None
        found: list[dict[str, Any]] = self.call(f"{data_type}/get", ids=[record_id], properties=names, **more)["list"]
        assert len(found) == 1
        return found[0]

    def mailbox(self, role: str) -> str:
        """The id of the Mailbox with a role."""
        return next(str(box["id"]) for box in self.call("Mailbox/get", ids=None)["list"] if box["role"] == role)

    def upload(self, octets: bytes) -> str:
        """The blobId of octets uploaded."""
        staged = self.server.blobs.stage(self.account, octets)

        def work(tx: Any) -> None:
            self.server.blobs.put(tx, staged)
            self.server.blobs.note_upload(tx, staged.digest, self.principal.name, int(self.server.now))

        self.server.store.account(self.account).write(work)
        return f"G{staged.digest.hex()}"

    def import_(
        self,
        octets: bytes,
        *,
        mailboxes: list[str] | None = None,
        keywords: Sequence[str] = (),
        received: str = "",
    ) -> dict[str, Any]:
        """Make an Email of a message; answers what the server tells of it."""
        email: dict[str, Any] = {
            "blobId": self.upload(octets),
            "mailboxIds": dict.fromkeys(mailboxes or [self.mailbox("inbox")], True),
            "keywords": dict.fromkeys(keywords, True),
        }
        if received:
            email["receivedAt"] = received
        answer = self.call("Email/import", emails={"k": email})
        assert answer["created"], answer
        made: dict[str, Any] = answer["created"]["k"]
        return made

    def faults(self) -> list[str]:
        """What the server's own check finds wrong in the account."""
        with self.server.store.account(self.account).read() as tx:
            return check(tx) + self.server.store.verify(self.account)


def message(
    subject: str = "Hello",
    body: str = "Hello, world.",
    *,
    message_id: str = "",
    references: Sequence[str] = (),
    sender: str = "Joe Bloggs <joe@example.com>",
    to: str = "alice@example.org",
    date: int = 1_600_000_000,
    more: str = "",
) -> bytes:
    """A small message; every one has a message id of its own unless given."""
    lines = [
        f"Message-ID: <{message_id or f'm{next(_numbers)}@example.com'}>",
        f"Date: {format_datetime(datetime.fromtimestamp(date, UTC))}",
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
    ]
    if references:
        lines.append("References: " + " ".join(f"<{reference}>" for reference in references))
    if more:
        lines.append(more)
    return "\r\n".join([*lines, "", body, ""]).encode()
