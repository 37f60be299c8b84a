"""A server whose people write to each other, and a client that sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from jmaplite import datatypes
from jmaplite.blobs.embedded import TABLES, EmbeddedBlobs
from jmaplite.core.catalog import Catalog
from jmaplite.core.context import Services
from jmaplite.core.engine import Engine
from jmaplite.datatypes.mail import MAIL
from jmaplite.datatypes.submission import SUBMISSION, SubmissionSettings
from jmaplite.datatypes.vacation import VACATION_RESPONSE
from jmaplite.delivery import Office, Outbox
from jmaplite.directory import Principal
from jmaplite.directory.memory import Entry, MemoryDirectory
from jmaplite.store.sqlite import SQLiteStore
from tests.mail.jmap import BASE, CORE, Client, Server, message

ALICE = Principal(
    "alice", description="Alice", emails=("alice@example.org", "a.smith@example.org"), member_of=("team",)
)
BOB = Principal("bob", description="Bob", emails=("bob@example.org", "robert@example.org"))
CAROL = Principal("carol", emails=("*@carol.example", "carol@example.org"))
TEAM = Principal("team", kind="group", emails=("team@example.org",))
HOST = "mx.example.org"


@dataclass
class PostOffice(Server):
    """An engine, and an outbox that delivers when it is told to, or when it is started."""

    sending: SubmissionSettings = field(default_factory=SubmissionSettings)
    people: tuple[Principal, ...] = (ALICE, BOB, CAROL, TEAM)

    def __post_init__(self) -> None:
        catalog = Catalog(datatypes.capabilities(self.settings, self.sending))
        self.store = SQLiteStore(self.path, datatypes.schema(catalog, TABLES))
        self.blobs = EmbeddedBlobs(self.path)
        self.directory = MemoryDirectory(map(Entry, self.people))
        settings = {MAIL: self.settings, SUBMISSION: self.sending}
        self.services = Services(self.store, self.blobs, self.limits, lambda: self.now, settings)
        self.engine = Engine(self.services, catalog, self.directory)
        self.outbox = Outbox(Office(self.services, self.directory, catalog.fill, HOST))

    def reopen(self) -> PostOffice:
        """The same after a restart."""
        self.close()
        return PostOffice(self.path, self.limits, self.settings, self.now, self.sending, self.people)

    def deliver(self) -> None:
        """Deliver what is due in all queues."""
        for info in self.store.accounts():
            self.outbox.deliver_due(info.id)

    def mailer(self, principal: Principal = ALICE) -> Mailer:
        return Mailer(self, principal)

    def queued(self, account: str) -> int:
        """How many messages are in the queue of an account."""
        with self.store.account(account).read() as tx:
            return int(tx.value("SELECT count(*) FROM outgoing WHERE account=?", tx.account))


@dataclass
class Mailer(Client):
    """A client that uses submission and vacation responses too."""

    def request(self, *calls: list[Any], **more: Any) -> dict[str, Any]:
        using = [CORE, MAIL, SUBMISSION, VACATION_RESPONSE]
        body = {"using": using, "methodCalls": list(calls), **more}
        octets = json.dumps(body).encode()
        answer: dict[str, Any] = json.loads(self.server.engine.process(self.principal, BASE, octets))
        return answer

    def draft(self, octets: bytes | None = None, **fields: Any) -> str:
        """The id of a draft of a message, or of one made of fields, from this user."""
        octets = octets or message(**{"sender": self.principal.emails[-1], **fields})
        return str(self.import_(octets, mailboxes=[self.mailbox("drafts")], keywords=["$draft"])["id"])

    def identity(self, email: str = "") -> str:
        """The id of the Identity of an address of one's own."""
        email = email or self.principal.emails[-1]
        return next(str(one["id"]) for one in self.call("Identity/get", ids=None)["list"] if one["email"] == email)

    def try_submit(self, email: str, **properties: Any) -> dict[str, Any]:
        """The response to the submission `s` of an Email."""
        create = {"identityId": self.identity(), "emailId": email, **properties}
        return self.call("EmailSubmission/set", create={"s": create})

    def submit(self, email: str, **properties: Any) -> dict[str, Any]:
        """What is told of the submission of an Email."""
        answer = self.try_submit(email, **properties)
        assert answer["created"], answer
        told: dict[str, Any] = answer["created"]["s"]
        return told

    def refused(self, email: str, **properties: Any) -> dict[str, Any]:
        """The SetError that the submission of an Email is refused with."""
        answer = self.try_submit(email, **properties)
        assert answer["created"] is None, answer
        error: dict[str, Any] = answer["notCreated"]["s"]
        return error

    def submission(self, record_id: str) -> dict[str, Any]:
        return self.get("EmailSubmission", record_id)

    def cancel(self, record_id: str) -> dict[str, Any]:
        return self.call("EmailSubmission/set", update={record_id: {"undoStatus": "canceled"}})

    def state(self, data_type: str) -> str:
        return str(self.call(f"{data_type}/get", ids=[])["state"])

    def received(self) -> list[bytes]:
        """The octets of every Email in the inbox, the oldest first."""
        ids = self.call("Email/query", filter={"inMailbox": self.mailbox("inbox")}, sort=[{"property": "receivedAt"}])[
            "ids"
        ]
        emails = self.call("Email/get", ids=ids, properties=["blobId"])["list"]
        with self.server.store.account(self.account).read() as tx:
            return [self.server.blobs.read(tx, bytes.fromhex(one["blobId"][1:])) for one in emails]


def envelope(*recipients: str, sender: str = "a.smith@example.org", **parameters: str | None) -> dict[str, Any]:
    """An Envelope from Alice."""
    return {
        "mailFrom": {"email": sender, "parameters": parameters or None},
        "rcptTo": [{"email": recipient, "parameters": None} for recipient in recipients],
    }


class Killed(BaseException):
    """The process ends here."""


def kill_before(module: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(patched: pytest.MonkeyPatch) -> None:
        def killed(*_: Any, **__: Any) -> Any:
            raise Killed

        patched.setattr(module, name, killed)

    return patch


def kill_after(module: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def patch(patched: pytest.MonkeyPatch) -> None:
        original = getattr(module, name)

        def killed(*arguments: Any, **named: Any) -> Any:
            original(*arguments, **named)
            raise Killed

        patched.setattr(module, name, killed)

    return patch
